// Bindgen writes the bindings in internal/contract from the WIT files of the contract.
//
//	go generate ./...        in sdk/go, within a checkout of Sickbay
//
// Each interface becomes a package: its types with the functions that lift them out of memory and lower them into it, and what is
// imported or exported. It knows the part of WIT that the contract uses, and stops at the rest.
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: bindgen FOLDER_OF_WIT FOLDER_OF_PACKAGES")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "bindgen:", err)
		os.Exit(1)
	}
}

func run(from, into string) error {
	files, err := generate(from)
	if err != nil {
		return err
	}
	for name, text := range files {
		path := filepath.Join(into, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// generate answers the files of all packages, by their path.
func generate(from string) (map[string][]byte, error) {
	all := &contract{exported: map[string]bool{}}
	paths, err := filepath.Glob(filepath.Join(from, "*.wit"))
	if err != nil {
		return nil, err
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("no WIT file in %s", from)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		if err := all.parseFile(string(text)); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	made := map[string][]byte{}
	for _, item := range all.interfaces {
		files, err := all.emit(item)
		if err != nil {
			return nil, err
		}
		for name, text := range files {
			made[filepath.Join(item.name, name)] = text
		}
	}
	return made, nil
}
