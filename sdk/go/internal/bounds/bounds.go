// Package bounds holds the bounds of the contract, and what makes texts and names fit into them.
package bounds

import (
	"strings"
	"time"
	"unicode/utf8"
)

const (
	SummaryBytesMax        = 512
	FailureMessageBytesMax = 1 << 10
	MetricsMax             = 256
	LabelsMax              = 32
	EvidenceMax            = 8
	EvidenceTextBytesMax   = 1 << 10
	DetailsBytesMax        = 64 << 10
	KindsMax               = 64
	NeedsMax               = 32
	MetricInfosMax         = 256
	FailuresMax            = 64
	SchemaBytesMax         = 64 << 10
	ActionsMax             = 16
	AgainAfterMin          = time.Second
	AgainAfterMax          = time.Hour
)

// Cut is the text in at most that many bytes; a cut is at a character and ends with `…`.
func Cut(text string, bytesMax int) string {
	const ellipsis = "…"
	if len(text) <= bytesMax {
		return text
	}
	end := bytesMax - len(ellipsis)
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + ellipsis
}

// IsWord says whether a text may name a kind, a failure or a plugin.
func IsWord(text string) bool {
	return text != "" && len(text) <= 64 && isMadeOf(text, lower+digits+"-")
}

// IsMetricName says whether a text may name a metric.
func IsMetricName(text string) bool {
	return text != "" && len(text) <= 64 && isMadeOf(text, lower+digits+"_") && !strings.Contains(digits, text[:1])
}

const (
	lower  = "abcdefghijklmnopqrstuvwxyz"
	digits = "0123456789"
)

func isMadeOf(text, characters string) bool {
	return !strings.ContainsFunc(text, func(char rune) bool { return !strings.ContainsRune(characters, char) })
}

// Milliseconds is a span as the contract has it: at least 1, at most 49 days.
func Milliseconds(span time.Duration) uint32 {
	return uint32(min(max(1, span.Milliseconds()), 1<<32-1))
}
