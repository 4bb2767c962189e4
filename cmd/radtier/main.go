// Command radtier stores imaging studies losslessly in an object store and gives them back.
//
// This package wires the parts of the project together and shows what they
// do; it decides nothing about bytes. What may be printed where: results go to stdout,
// progress, logs and errors to stderr. Neither holds patient data: UIDs,
// digests and counts only, and never the names of source files.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() { os.Exit(runMain()) }

// runMain is run with the signals of this process: the first SIGINT or
// SIGTERM asks to stop, the second insists, the third does not wait for anybody.
func runMain() int {
	ctx, soft := context.WithCancel(context.Background())
	defer soft()
	hard := make(chan struct{})
	signals := make(chan os.Signal, 3)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		soft()
		<-signals
		close(hard)
		<-signals
		os.Exit(exitInterrupted)
	}()
	return run(ctx, process{args: os.Args, env: os.Getenv, environ: os.Environ(), stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, hard: hard})
}
