// Package abi moves values between Go and the memory that a component and its host share, as the component model's canonical ABI has it.
//
// `Lift...` reads a value out of memory, `Lower...` writes one into it. Addresses are 32 bits wide, whatever a pointer of Go is. What is
// lifted is copied; what is lowered is copied into an [Arena], which lives until the call is over.
//
// Invariant: nothing that the host is told an address of is on a stack, for a stack moves.
package abi

import (
	"math"
	"strings"
)

// A Result is what a function answers that can fail: Err is nil where it did not.
type Result[Value, Error any] struct {
	Value Value
	Err   *Error
}

// OK is the answer of a function that did not fail.
func OK[Error, Value any](value Value) Result[Value, Error] {
	return Result[Value, Error]{Value: value}
}

// Failed is the answer of a function that failed.
func Failed[Value, Error any](err Error) Result[Value, Error] { return Result[Value, Error]{Err: &err} }

func LiftU8(at uint32) uint8    { return bytesAt(at, 1)[0] }
func LiftU16(at uint32) uint16  { return order.Uint16(bytesAt(at, 2)) }
func LiftU32(at uint32) uint32  { return order.Uint32(bytesAt(at, 4)) }
func LiftU64(at uint32) uint64  { return order.Uint64(bytesAt(at, 8)) }
func LiftS64(at uint32) int64   { return int64(LiftU64(at)) }
func LiftF64(at uint32) float64 { return math.Float64frombits(LiftU64(at)) }
func LiftBool(at uint32) bool   { return LiftU8(at) != 0 }

func LiftNothing(uint32) struct{} { return struct{}{} }

func LiftString(at uint32) string { return string(bytesAt(LiftU32(at), LiftU32(at+4))) }

func LiftBytes(at uint32) []byte { return append([]byte{}, bytesAt(LiftU32(at), LiftU32(at+4))...) }

// LiftList lifts a list whose elements have that size.
func LiftList[Element any](size uint32, lift func(uint32) Element) func(uint32) []Element {
	return func(at uint32) []Element {
		first, count := LiftU32(at), LiftU32(at+4)
		if count == 0 {
			return nil
		}
		list := make([]Element, count)
		for number := range list {
			list[number] = lift(first + uint32(number)*size)
		}
		return list
	}
}

// LiftOption lifts a value that may be absent; `payload` is how far behind the begin it is.
func LiftOption[Value any](payload uint32, lift func(uint32) Value) func(uint32) *Value {
	return func(at uint32) *Value {
		if LiftU8(at) == 0 {
			return nil
		}
		value := lift(at + payload)
		return &value
	}
}

func LiftResult[Value, Error any](payload uint32, lift func(uint32) Value, liftError func(uint32) Error) func(uint32) Result[Value, Error] {
	return func(at uint32) Result[Value, Error] {
		if LiftU8(at) == 0 {
			return OK[Error](lift(at + payload))
		}
		return Failed[Value](liftError(at + payload))
	}
}

func LowerU8(_ *Arena, at uint32, value uint8)        { bytesAt(at, 1)[0] = value }
func LowerU16(_ *Arena, at uint32, value uint16)      { order.PutUint16(bytesAt(at, 2), value) }
func LowerU32(_ *Arena, at uint32, value uint32)      { order.PutUint32(bytesAt(at, 4), value) }
func LowerU64(_ *Arena, at uint32, value uint64)      { order.PutUint64(bytesAt(at, 8), value) }
func LowerS64(arena *Arena, at uint32, value int64)   { LowerU64(arena, at, uint64(value)) }
func LowerF64(arena *Arena, at uint32, value float64) { LowerU64(arena, at, math.Float64bits(value)) }

func LowerBool(arena *Arena, at uint32, value bool) {
	if value {
		LowerU8(arena, at, 1)
	} else {
		LowerU8(arena, at, 0)
	}
}

func LowerNothing(*Arena, uint32, struct{}) {}

// LowerString lowers a text. What is not UTF-8 in it becomes U+FFFD, for the host would end the run.
func LowerString(arena *Arena, at uint32, value string) {
	value = strings.ToValidUTF8(value, "\uFFFD")
	into := arena.Allocate(uint32(len(value)), 1)
	copy(bytesAt(into, uint32(len(value))), value)
	LowerU32(arena, at, into)
	LowerU32(arena, at+4, uint32(len(value)))
}

func LowerBytes(arena *Arena, at uint32, value []byte) {
	into := arena.Allocate(uint32(len(value)), 1)
	copy(bytesAt(into, uint32(len(value))), value)
	LowerU32(arena, at, into)
	LowerU32(arena, at+4, uint32(len(value)))
}

// LowerList lowers a list whose elements have that size and alignment.
func LowerList[Element any](size, align uint32, lower func(*Arena, uint32, Element)) func(*Arena, uint32, []Element) {
	return func(arena *Arena, at uint32, list []Element) {
		first := arena.Allocate(uint32(len(list))*size, align)
		for number, element := range list {
			lower(arena, first+uint32(number)*size, element)
		}
		LowerU32(arena, at, first)
		LowerU32(arena, at+4, uint32(len(list)))
	}
}

func LowerOption[Value any](payload uint32, lower func(*Arena, uint32, Value)) func(*Arena, uint32, *Value) {
	return func(arena *Arena, at uint32, value *Value) {
		if value == nil {
			LowerU8(arena, at, 0)
			return
		}
		LowerU8(arena, at, 1)
		lower(arena, at+payload, *value)
	}
}

func LowerResult[Value, Error any](
	payload uint32, lower func(*Arena, uint32, Value), lowerError func(*Arena, uint32, Error),
) func(*Arena, uint32, Result[Value, Error]) {
	return func(arena *Arena, at uint32, result Result[Value, Error]) {
		if result.Err != nil {
			LowerU8(arena, at, 1)
			lowerError(arena, at+payload, *result.Err)
			return
		}
		LowerU8(arena, at, 0)
		lower(arena, at+payload, result.Value)
	}
}
