package main

import "fmt"

// A layout is where a type has its bytes in memory, as the component model lays it out.
type layout struct{ size, align uint32 }

// A leaf is one value of a type's flat form, by where it is in the type's memory form.
type leaf struct {
	at uint32
	// How it is read there: `U8`, `U32`, `U64`, ...
	read string
}

// goType is the type of the parameter that it is passed as.
func (value leaf) goType() string {
	switch value.read {
	case "U64":
		return "uint64"
	case "F64":
		return "float64"
	}
	return "uint32"
}

// load is the expression that it is passed as.
func (value leaf) load(area string) string {
	read := fmt.Sprintf("abi.Lift%s(%s + %d)", value.read, area, value.at)
	if value.read == "U8" || value.read == "U16" {
		return "uint32(" + read + ")"
	}
	return read
}

var primitives = map[string]layout{
	"bool": {1, 1}, "u8": {1, 1}, "u16": {2, 2}, "u32": {4, 4}, "u64": {8, 8}, "s64": {8, 8}, "f64": {8, 8},
	"string": {8, 4}, "list": {8, 4},
}

func alignUp(at, align uint32) uint32 { return (at + align - 1) / align * align }

// sequence lays out fields behind each other and says where each begins.
func (emitter *emitter) sequence(fields []field) (whole layout, offsets []uint32) {
	whole.align = 1
	for _, one := range fields {
		part := emitter.layout(one.of)
		whole.size = alignUp(whole.size, part.align)
		offsets = append(offsets, whole.size)
		whole.size += part.size
		whole.align = max(whole.align, part.align)
	}
	whole.size = alignUp(whole.size, whole.align)
	return whole, offsets
}

// either lays out a byte that says which case it is, and behind it room for any of the payloads.
func (emitter *emitter) either(payloads ...*typeRef) (whole layout, payload uint32) {
	room := layout{0, 1}
	for _, one := range payloads {
		if one != nil {
			part := emitter.layout(one)
			room.size, room.align = max(room.size, part.size), max(room.align, part.align)
		}
	}
	return layout{alignUp(room.align+room.size, room.align), room.align}, room.align
}

func (emitter *emitter) layout(ref *typeRef) layout {
	if found, is := primitives[ref.name]; is {
		return found
	}
	switch ref.name {
	case "option", "result":
		whole, _ := emitter.either(ref.arguments...)
		return whole
	}
	item, home := emitter.find(ref.name)
	switch item.kind {
	case "alias":
		return home.layout(item.alias)
	case "enum":
		return layout{1, 1}
	case "resource":
		return layout{4, 4}
	case "variant":
		whole, _ := home.either(payloads(item)...)
		return whole
	}
	whole, _ := home.sequence(item.cases)
	return whole
}

func payloads(item *typeItem) []*typeRef {
	var all []*typeRef
	for _, one := range item.cases {
		all = append(all, one.of)
	}
	return all
}

// flat is the flat form of a type whose memory form begins at `at`.
func (emitter *emitter) flat(ref *typeRef, at uint32) []leaf {
	switch ref.name {
	case "bool", "u8":
		return []leaf{{at, "U8"}}
	case "u16":
		return []leaf{{at, "U16"}}
	case "u32":
		return []leaf{{at, "U32"}}
	case "u64", "s64":
		return []leaf{{at, "U64"}}
	case "f64":
		return []leaf{{at, "F64"}}
	case "string", "list":
		return []leaf{{at, "U32"}, {at + 4, "U32"}}
	case "option":
		_, payload := emitter.either(ref.arguments...)
		return append([]leaf{{at, "U8"}}, emitter.flat(ref.arguments[0], at+payload)...)
	}
	item, home := emitter.find(ref.name)
	switch item.kind {
	case "alias":
		return home.flat(item.alias, at)
	case "enum":
		return []leaf{{at, "U8"}}
	case "resource":
		return []leaf{{at, "U32"}}
	case "record":
		var all []leaf
		_, offsets := home.sequence(item.cases)
		for number, one := range item.cases {
			all = append(all, home.flat(one.of, at+offsets[number])...)
		}
		return all
	}
	panic(fmt.Sprintf("`%s` is a variant that is passed flat, which bindgen does not know", ref.name))
}
