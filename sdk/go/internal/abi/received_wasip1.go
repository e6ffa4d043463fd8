package abi

import (
	"math/rand/v2"
	"runtime/debug"
	"unsafe"
)

// Where the host puts what it tells: the arguments of an export, the answer of an import.
//
// It asks for room through the functions below while a call is on its way, and nothing outside of the component may be called then: a
// garbage collection, which asks for the time, would end the run. So room comes out of a region that is there from the start. What does not
// fit is allocated, which is safe only because the collector is off whenever the host may ask.

// Untouched pages of the region cost nothing.
const regionBytes = 4 << 20

// What the preview-1 adapter takes for itself: two pages of 64 KiB, before the runtime is initialised.
const adapterBytes = 4 << 16

var (
	// Of words, so that they are aligned.
	region      [regionBytes / 8]uint64
	regionUsed  uint32
	beyond      [][]uint64
	adapter     [adapterBytes / 8]uint64
	adapterUsed uint32
)

// forgetReceived has all of it used again.
func forgetReceived() {
	regionUsed = 0
	beyond = nil
}

// collector is how the collector is set while the plugin computes.
var collector int

// Between two exports the host may ask for room.
func init() { stopCollector() }

func stopCollector() { collector = debug.SetGCPercent(-1) }

func startCollector() { debug.SetGCPercent(collector) }

//go:wasmexport cabi_import_realloc
func reallocForImports(old, oldSize, align, size uint32) uint32 {
	return receive(old, oldSize, align, size)
}

//go:wasmexport cabi_export_realloc
func reallocForExports(old, oldSize, align, size uint32) uint32 {
	return receive(old, oldSize, align, size)
}

func receive(old, oldSize, align, size uint32) uint32 {
	at := room(align, size)
	if oldSize > 0 {
		copy(bytesAt(at, size), bytesAt(old, oldSize))
	}
	return at
}

func room(align, size uint32) uint32 {
	base := uint32(uintptr(unsafe.Pointer(&region)))
	begin := alignUp(base+regionUsed, align) - base
	if begin <= regionBytes && size <= regionBytes-begin {
		regionUsed = begin + size
		return base + begin
	}
	words := make([]uint64, (uint64(size)+7)/8)
	beyond = append(beyond, words)
	return addressOf(words)
}

// reallocForAdapter must not allocate, nor grow the stack: it is called before there is a heap.
//
//go:wasmexport cabi_realloc_adapter
//go:nosplit
func reallocForAdapter(_, _, align, size uint32) uint32 {
	base := uint32(uintptr(unsafe.Pointer(&adapter)))
	begin := (base+adapterUsed+align-1)&^(align-1) - base
	if begin > adapterBytes || size > adapterBytes-begin {
		return 0
	}
	adapterUsed = begin + size
	return base + begin
}

// A host may run the start of the program once, while it compiles it, and have every instance begin behind it: package variables and init
// functions then hold what they held there. Whoever exports this allows it. It is never called.
//
//go:wasmexport sickbay_head_start
func headStart() {}

//go:wasmimport wasi_snapshot_preview1 random_get
//go:noescape
func readRandom(into *byte, size uint32) uint32

var (
	isStirred bool
	// Not on a stack: its address is told to the host.
	drawn [1]byte
)

// stir has math/rand go on from another place in each instance: behind a start that was run once, all of them would draw the same numbers.
func stir() {
	if isStirred {
		return
	}
	isStirred = true
	if readRandom(&drawn[0], 1) != 0 {
		return
	}
	for range drawn[0] {
		rand.Uint64()
	}
}
