// Copyright The kdcos Authors.
// SPDX-License-Identifier: Apache-2.0

// Command echo is the test image of the integration test: it answers HTTP requests with the name of its pod.
package main

import (
	"fmt"
	"log"
	"net/http"
	"os"
)

func main() {
	// Called with a URL it is the client instead: an image without a shell can ask for itself.
	if len(os.Args) == 2 {
		response, err := http.Get(os.Args[1])
		if err != nil {
			log.Fatal(err)
		}
		if err := response.Write(os.Stdout); err != nil {
			log.Fatal(err)
		}
		return
	}
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		name, err := os.Hostname()
		if err != nil {
			name = err.Error()
		}
		fmt.Fprintf(w, "%s from %s\n", name, r.RemoteAddr)
	})
	log.Fatal(http.ListenAndServe(":8080", nil))
}
