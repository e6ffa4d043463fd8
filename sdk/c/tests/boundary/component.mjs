// node component.mjs NODE_MODULES MODULE WORLD OUT: what `sickbay build` does with a core module of the C SDK, with `jco`: its component type
// is embedded, out of the contract and of the SDK's worlds. OUT is a core module that the host takes as it is.
import { readFile, readdir, writeFile } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';

const here = new URL('.', import.meta.url);

export async function jcoOf(nodeModules) {
    return import(pathToFileURL(`${nodeModules}/@bytecodealliance/jco/dist/api.js`));
}

// The SDK's worlds, with the contract as a package in the same text.
async function worlds() {
    const contract = new URL('../../../../wit/', here);
    let text = '';
    for (const file of (await readdir(contract)).sort()) {
        text += (await readFile(new URL(file, contract), 'utf8')).replace(/^package .*;$/m, '');
    }
    return `${await readFile(new URL('../../wit/worlds.wit', here), 'utf8')}\npackage sickbay:plugin@0.1.0 {\n${text}\n}\n`;
}

export async function withComponentType(jco, module, world) {
    return jco.componentEmbed({ binary: module, witSource: await worlds(), world, stringEncoding: 'utf8' });
}

if (process.argv[1]?.endsWith('component.mjs')) {
    const [nodeModules, module, world, out] = process.argv.slice(2);
    await writeFile(out, await withComponentType(await jcoOf(nodeModules), await readFile(module), world));
}
