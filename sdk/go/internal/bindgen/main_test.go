package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTheCommittedBindingsAreWhatTheContractGives(t *testing.T) {
	const wit, packages = "../../../../wit", "../contract"
	if _, err := os.Stat(wit); err != nil {
		t.Skip("the contract is not beside the SDK here")
	}
	files, err := generate(wit)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		committed, err := os.ReadFile(filepath.Join(packages, name))
		if err != nil || !bytes.Equal(committed, text) {
			t.Errorf("%s is out of date (%v); hint: go generate .", name, err)
		}
	}
	found, err := filepath.Glob(filepath.Join(packages, "*", "*"))
	if err != nil || len(found) != len(files) {
		t.Errorf("%d files are committed and %d are made (%v); hint: remove internal/contract, then go generate .", len(found), len(files), err)
	}
}

func parsed(t *testing.T, text string) *contract {
	t.Helper()
	all := &contract{exported: map[string]bool{}}
	if err := all.parseFile("package a:b@1.2.3;\n" + text); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestPayloadsAreAlignedForAnyOfTheCases(t *testing.T) {
	all := parsed(t, `interface i {
		/// A comment with { braces }.
		variant v { small(u8), none, large(u64), }
		record r { a: bool, b: v, c: option<u16>, d: list<string>, }
	}`)
	emitter := &emitter{all: all, here: all.interfaces[0]}
	for name, expected := range map[string]layout{"v": {16, 8}, "r": {40, 8}} {
		if found := emitter.layout(&typeRef{name: name}); found != expected {
			t.Errorf("%s has %v, expected %v", name, found, expected)
		}
	}
	_, offsets := emitter.sequence(all.interfaces[0].types[1].cases)
	if offsets[1] != 8 || offsets[2] != 24 || offsets[3] != 28 {
		t.Errorf("fields begin at %v", offsets)
	}
}

func TestAPackageKnowsItsExportsAndWhatItTakesFromOthers(t *testing.T) {
	all := parsed(t, `
		interface i { type name = string; }
		interface e { use i.{name as title}; run: func(a: title, b: list<tuple-less>) -> result<_, title>; record tuple-less { x: u32 } }
		world w { import i; export e; }`)
	if all.name != "a:b" || all.version != "1.2.3" || !all.exported["e"] || all.exported["i"] {
		t.Errorf("read %+v", all)
	}
	if used := all.interfaces[1].uses["title"]; used.from != "i" || used.name != "name" {
		t.Errorf("`title` is %v", used)
	}
}

func TestWhatIsNotKnownIsAnErrorThatSaysWhatWasFound(t *testing.T) {
	all := &contract{exported: map[string]bool{}}
	err := all.parseFile("interface i { flags f { a } }")
	if err == nil || !strings.Contains(err.Error(), "found `f`") {
		t.Errorf("flags are %v", err)
	}
}
