package main

import (
	"fmt"
	"strings"
	"unicode"
)

// A contract is what the files of one WIT package say, in the part of WIT that it uses.
type contract struct {
	// As imports write it: `sickbay:plugin`, `0.1.0`.
	name, version string
	interfaces    []*interfaceItem
	// The interfaces that a plugin answers, in some world.
	exported map[string]bool
}

type interfaceItem struct {
	name string
	// What it takes from other interfaces, by its name here.
	uses  map[string]used
	types []*typeItem
	// In the order of the file; a method has its resource.
	functions []*function
}

type used struct{ from, name string }

type typeItem struct {
	name string
	// `record`, `variant`, `enum`, `alias` or `resource`.
	kind  string
	cases []field
	alias *typeRef
}

// A field of a record, a case of a variant or enum (then its type may be nil), a parameter.
type field struct {
	name string
	of   *typeRef
}

type function struct {
	name       string
	resource   string
	parameters []field
	result     *typeRef
}

// A typeRef is the use of a type: `string`, `list<label>`, `report`.
type typeRef struct {
	name string
	// Nil stands for `_`.
	arguments []*typeRef
}

type parser struct {
	tokens []string
	at     int
}

// parseFile adds what one file says.
func (all *contract) parseFile(text string) (err error) {
	parser := &parser{tokens: tokens(text)}
	defer func() {
		if problem, is := recover().(syntaxError); is {
			err = problem
		}
	}()
	for !parser.ended() {
		switch word := parser.next(); word {
		case "package":
			all.name = parser.next() + parser.expect(":") + parser.next()
			parser.expect("@")
			all.version = parser.until(";")
		case "interface":
			all.interfaces = append(all.interfaces, parser.interfaceItem())
		case "world":
			parser.next()
			parser.world(all.exported)
		default:
			parser.fail("`package`, `interface` or `world`", word)
		}
	}
	return nil
}

func (parser *parser) interfaceItem() *interfaceItem {
	item := &interfaceItem{name: parser.next(), uses: map[string]used{}}
	parser.expect("{")
	for !parser.take("}") {
		switch word := parser.next(); word {
		case "use":
			parser.use(item)
		case "type":
			name := parser.next()
			parser.expect("=")
			item.types = append(item.types, &typeItem{name: name, kind: "alias", alias: parser.typeRef()})
			parser.expect(";")
		case "record", "variant", "enum":
			item.types = append(item.types, &typeItem{name: parser.next(), kind: word, cases: parser.cases()})
		case "resource":
			name := parser.next()
			item.types = append(item.types, &typeItem{name: name, kind: "resource"})
			parser.expect("{")
			for !parser.take("}") {
				item.functions = append(item.functions, parser.function(parser.next(), name))
			}
		default:
			item.functions = append(item.functions, parser.function(word, ""))
		}
	}
	return item
}

func (parser *parser) use(item *interfaceItem) {
	from := parser.next()
	parser.expect(".")
	parser.expect("{")
	for !parser.take("}") {
		name := parser.next()
		here := name
		if parser.take("as") {
			here = parser.next()
		}
		item.uses[here] = used{from, name}
		parser.take(",")
	}
	parser.expect(";")
}

func (parser *parser) cases() []field {
	var cases []field
	parser.expect("{")
	for !parser.take("}") {
		one := field{name: parser.next()}
		if parser.take(":") {
			one.of = parser.typeRef()
		} else if parser.take("(") {
			one.of = parser.typeRef()
			parser.expect(")")
		}
		cases = append(cases, one)
		parser.take(",")
	}
	return cases
}

func (parser *parser) function(name, resource string) *function {
	made := &function{name: name, resource: resource}
	parser.expect(":")
	parser.expect("func")
	parser.expect("(")
	for !parser.take(")") {
		parameter := field{name: parser.next()}
		parser.expect(":")
		parameter.of = parser.typeRef()
		made.parameters = append(made.parameters, parameter)
		parser.take(",")
	}
	if parser.take("->") {
		made.result = parser.typeRef()
	}
	parser.expect(";")
	return made
}

func (parser *parser) typeRef() *typeRef {
	ref := &typeRef{name: parser.next()}
	if ref.name == "_" {
		return nil
	}
	if parser.take("<") {
		for !parser.take(">") {
			ref.arguments = append(ref.arguments, parser.typeRef())
			parser.take(",")
		}
	}
	return ref
}

// A syntaxError says what was found where something else belongs.
type syntaxError struct{ expected, found string }

func (err syntaxError) Error() string {
	return fmt.Sprintf("expected %s, found `%s`; hint: bindgen knows the part of WIT that the contract uses", err.expected, err.found)
}

func (parser *parser) fail(expected, found string) { panic(syntaxError{expected, found}) }

func (parser *parser) ended() bool { return parser.at == len(parser.tokens) }

func (parser *parser) next() string {
	if parser.ended() {
		parser.fail("more", "the end of the file")
	}
	parser.at++
	return strings.TrimPrefix(parser.tokens[parser.at-1], "%")
}

func (parser *parser) take(token string) bool {
	if parser.ended() || parser.tokens[parser.at] != token {
		return false
	}
	parser.at++
	return true
}

func (parser *parser) expect(token string) string {
	if !parser.take(token) {
		parser.fail("`"+token+"`", parser.next())
	}
	return token
}

func (parser *parser) until(token string) string {
	var text strings.Builder
	for !parser.take(token) {
		text.WriteString(parser.next())
	}
	return text.String()
}

// world reads a world, of which only the exports matter here.
func (parser *parser) world(exported map[string]bool) {
	parser.expect("{")
	for !parser.take("}") {
		word := parser.next()
		if name := parser.until(";"); word == "export" {
			exported[name] = true
		}
	}
}

// tokens are words, `->` and single characters; comments are left out.
func tokens(text string) []string {
	var found []string
	for line := range strings.Lines(text) {
		code, _, _ := strings.Cut(line, "//")
		for code = strings.TrimSpace(code); code != ""; code = strings.TrimSpace(code) {
			size := strings.IndexFunc(code, func(char rune) bool {
				return !unicode.IsLetter(char) && !unicode.IsDigit(char) && !strings.ContainsRune("-%_", char)
			})
			switch {
			case strings.HasPrefix(code, "->"):
				size = 2
			case size < 0:
				size = len(code)
			case size == 0:
				size = 1
			}
			found = append(found, code[:size])
			code = code[size:]
		}
	}
	return found
}
