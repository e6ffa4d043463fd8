// Native is the same check as a process: its configuration is the argument.
package main

import (
	"encoding/json"
	"fmt"
	"os"
)

func main() {
	var config struct {
		Waiting float64 `json:"waiting"`
		Limit   float64 `json:"limit"`
	}
	if len(os.Args) < 2 || json.Unmarshal([]byte(os.Args[1]), &config) != nil {
		os.Exit(3)
	}
	fmt.Printf("OK - %v of at most %v jobs wait | waiting=%v\n", config.Waiting, config.Limit, config.Waiting)
}
