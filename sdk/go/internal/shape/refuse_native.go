//go:build !wasip1

package shape

import (
	"encoding/json"
	"fmt"
	"regexp"
	"unicode/utf8"
)

// refuse holds a value against what its tags say.
func (bounds *bounds) refuse(value any, path string) error {
	what, size := "", 0.0
	switch told := value.(type) {
	case json.Number:
		what = "it"
		size, _ = told.Float64()
	case string:
		what, size = "its length in characters", float64(utf8.RuneCountInString(told))
		if bounds.pattern != "" {
			pattern, err := regexp.Compile(bounds.pattern)
			if err != nil {
				return fmt.Errorf("the pattern of `%s`: %w", path, err)
			}
			if !pattern.MatchString(told) {
				return fmt.Errorf("`%s` is %q; hint: it must match `%s`", path, told, bounds.pattern)
			}
		}
	case []any:
		what, size = "its length", float64(len(told))
	}
	if what != "" && bounds.min != nil && size < *bounds.min {
		return fmt.Errorf("`%s` is %s; hint: %s is at least %v", path, show(value), what, *bounds.min)
	}
	if what != "" && bounds.max != nil && size > *bounds.max {
		return fmt.Errorf("`%s` is %s; hint: %s is at most %v", path, show(value), what, *bounds.max)
	}
	for _, choice := range bounds.choices {
		if choice == value {
			return nil
		}
	}
	if len(bounds.choices) > 0 {
		return fmt.Errorf("`%s` is %s; hint: one of %s", path, show(value), show(bounds.choices))
	}
	return nil
}
