// A server in Go: 100 requests a second, 16 KiB of garbage each. With leak, each eighth one's goroutine waits for an answer that never comes.
package main

import (
	"os"
	"time"
)

var sink []byte

func ask(answers chan []byte) {
	buffer := make([]byte, 6<<10)
	for i := range buffer {
		buffer[i] = byte(i)
	}
	answer := <-answers
	sink = append(answer, buffer[0])
}

func main() {
	leaks := os.Args[1] == "leak"
	for number := 0; ; {
		for of := 0; of < 10; of++ {
			number++
			body := make([]byte, 16<<10)
			for i := range body {
				body[i] = byte(number)
			}
			sink = body
			if number%8 == 0 {
				answers := make(chan []byte, 1)
				if !leaks {
					answers <- body[:1]
				}
				go ask(answers)
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
}
