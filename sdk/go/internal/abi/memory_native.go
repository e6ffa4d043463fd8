//go:build !wasip1

package abi

import "sync"

// A memory of its own stands for a component's, so that tests can lower and lift on any machine. Its first address is 8: 0 is nowhere.
var memory struct {
	sync.Mutex
	chunks []chunk
}

type chunk struct {
	at    uint32
	bytes []byte
}

func bytesAt(at, size uint32) []byte {
	memory.Lock()
	defer memory.Unlock()
	for _, chunk := range memory.chunks {
		if at >= chunk.at && at+size <= chunk.at+uint32(len(chunk.bytes)) {
			return chunk.bytes[at-chunk.at:][:size]
		}
	}
	panic("an address that was never allocated")
}

func addressOf(words []uint64) uint32 {
	memory.Lock()
	defer memory.Unlock()
	at := uint32(8)
	if last := len(memory.chunks) - 1; last >= 0 {
		at = memory.chunks[last].at + uint32(len(memory.chunks[last].bytes))
	}
	memory.chunks = append(memory.chunks, chunk{at, make([]byte, len(words)*8)})
	return at
}

func forgetReceived() {}
func stopCollector()  {}
func startCollector() {}
func stir()           {}
