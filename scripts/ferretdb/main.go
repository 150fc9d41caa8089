// FerretDB speaks MongoDB's protocol and keeps its data in SQLite: the server of the tests. Usage: ferretdb HOST:PORT FOLDER
// It says its address on standard output, and ends with standard input, so that it never outlives who started it.
package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/FerretDB/FerretDB/ferretdb"
)

func main() {
	server, err := ferretdb.New(&ferretdb.Config{
		Listener:  ferretdb.ListenerConfig{TCP: os.Args[1]},
		Handler:   "sqlite",
		SQLiteURL: "file:" + os.Args[2] + "/",
		Logger:    slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	go server.Run(context.Background())
	fmt.Println(server.MongoDBURI())
	io.Copy(io.Discard, os.Stdin)
}
