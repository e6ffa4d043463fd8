package abi

import (
	"encoding/binary"
	"runtime"
)

// chunkBytes is what an arena takes at once, unless one value needs more: most answers fit, and a new instance touches no page for nothing.
const chunkBytes = 2 << 10

// Linear memory is little-endian.
var order = binary.LittleEndian

// An Arena holds what one call shows the host.
type Arena struct {
	// Of words, so that every chunk is aligned. Each stays where it is: the collector moves nothing that is on the heap.
	chunks [][]uint64
	// Where the next value goes, and where the last chunk ends.
	next, end uint32
}

// Allocate answers the address of that many zero bytes.
func (arena *Arena) Allocate(size, align uint32) uint32 {
	at := alignUp(arena.next, align)
	if at < arena.next || at+size < at || at+size > arena.end || arena.end == 0 {
		words := make([]uint64, (max(size, chunkBytes)+7)/8)
		arena.chunks = append(arena.chunks, words)
		at = addressOf(words)
		arena.end = at + uint32(len(words)*8)
	}
	arena.next = at + size
	return at
}

func alignUp(at, align uint32) uint32 { return (at + align - 1) &^ (align - 1) }

// calls counts those under way: goroutines may call the host while another one lifts what it was answered.
var calls int

// Begin begins a call of the host.
func Begin() *Arena {
	if calls == 0 {
		stopCollector()
	}
	calls++
	return &Arena{}
}

// End ends it, when its answer is lifted.
func (arena *Arena) End() {
	calls--
	if calls == 0 {
		forgetReceived()
		startCollector()
	}
	runtime.KeepAlive(arena)
}

// answered holds what the host reads after an export has returned, until the next one is called.
var answered *Arena

// Answer begins the answer of an export. What the host called it with is lifted by then.
func Answer() *Arena {
	forgetReceived()
	startCollector()
	stir()
	answered = &Arena{}
	return answered
}

// Rest ends it: from here on until the next export the host may put something here.
func Rest() { stopCollector() }
