package abi

import "unsafe"

// bytesAt is the memory from an address on.
func bytesAt(at, size uint32) []byte { return unsafe.Slice((*byte)(unsafe.Add(nil, at)), size) }

func addressOf(words []uint64) uint32 {
	return uint32(uintptr(unsafe.Pointer(unsafe.SliceData(words))))
}

// Trap ends the component at once and without a word, so that what it wrote last stays its last word: an address that no memory has.
func Trap() { LowerU8(nil, 1<<32-1, 0) }
