// Walks a published log with the reference code of Go's checksum database and nothing of ours:
//
//	walk FOLDER KEY [RECEIPT RECORD]...
//
// It opens the checkpoint, reads every entry and compares its hash with the tiles, which are
// authenticated against the signed root; it proves every entry and every older size, and checks the
// proofs; then it checks each receipt with its record. It needs golang.org/x/mod/sumdb alone.
package main

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const height = 8
const width = 1 << height

func fail(format string, values ...interface{}) {
	fmt.Fprintf(os.Stderr, format+"\n", values...)
	os.Exit(1)
}

// The tree that a checkpoint is of, when the key has signed it.
func open(checkpoint []byte, verifiers note.Verifiers) tlog.Tree {
	opened, err := note.Open(checkpoint, verifiers)
	if err != nil {
		fail("the checkpoint: %v", err)
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) < 3 {
		fail("the checkpoint has %d lines", len(lines))
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		fail("the size: %v", err)
	}
	root, err := tlog.ParseHash(lines[2])
	if err != nil {
		fail("the root: %v", err)
	}
	return tlog.Tree{N: size, Hash: root}
}

// Tiles of a folder. Go's paths have the height in them, those of tlog-tiles have not.
type folder string

func (f folder) Height() int { return height }

func (f folder) SaveTiles([]tlog.Tile, [][]byte) {}

func (f folder) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, tile := range tiles {
		path := strings.Replace(tile.Path(), fmt.Sprintf("tile/%d/", height), "tile/", 1)
		data, err := os.ReadFile(filepath.Join(string(f), path))
		if err != nil {
			return nil, err
		}
		all = append(all, data)
	}
	return all, nil
}

// The entries of the bundle at an index.
func (f folder) bundle(index, count int64) [][]byte {
	tile := tlog.Tile{H: height, L: 0, N: index, W: int(count)}
	path := strings.Replace(tile.Path(), fmt.Sprintf("tile/%d/0/", height), "tile/entries/", 1)
	data, err := os.ReadFile(filepath.Join(string(f), path))
	if err != nil {
		fail("entries: %v", err)
	}
	var entries [][]byte
	for len(data) > 0 {
		if len(data) < 2 {
			fail("%s: half a length", path)
		}
		length := int(binary.BigEndian.Uint16(data))
		if len(data) < 2+length {
			fail("%s: half an entry", path)
		}
		entries = append(entries, data[2:2+length])
		data = data[2+length:]
	}
	if int64(len(entries)) != count {
		fail("%s has %d entries, not %d", path, len(entries), count)
	}
	return entries
}

func checkReceipt(receipt, record string, verifiers note.Verifiers) {
	text, err := os.ReadFile(receipt)
	if err != nil {
		fail("%v", err)
	}
	entry, err := os.ReadFile(record)
	if err != nil {
		fail("%v", err)
	}
	parts := strings.SplitN(string(text), "\n\n", 2)
	if len(parts) != 2 {
		fail("%s has no empty line", receipt)
	}
	lines := strings.Split(parts[0], "\n")
	if lines[0] != "c2sp.org/tlog-proof@v1" || !strings.HasPrefix(lines[1], "index ") {
		fail("%s does not begin like a receipt", receipt)
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[1], "index "), 10, 64)
	if err != nil {
		fail("%v", err)
	}
	var proof tlog.RecordProof
	for _, line := range lines[2:] {
		bytes, err := base64.StdEncoding.DecodeString(line)
		if err != nil || len(bytes) != tlog.HashSize {
			fail("%s: %q is no hash", receipt, line)
		}
		var hash tlog.Hash
		copy(hash[:], bytes)
		proof = append(proof, hash)
	}
	tree := open([]byte(parts[1]), verifiers)
	if err := tlog.CheckRecord(proof, tree.N, tree.Hash, index, tlog.RecordHash(entry)); err != nil {
		fail("%s: %v", receipt, err)
	}
}

func main() {
	if len(os.Args) < 3 || len(os.Args)%2 == 0 {
		fail("walk FOLDER KEY [RECEIPT RECORD]...")
	}
	log := folder(os.Args[1])
	verifier, err := note.NewVerifier(os.Args[2])
	if err != nil {
		fail("the key: %v", err)
	}
	verifiers := note.VerifierList(verifier)
	checkpoint, err := os.ReadFile(filepath.Join(string(log), "checkpoint"))
	if err != nil {
		fail("%v", err)
	}
	tree := open(checkpoint, verifiers)
	if tree.N == 0 {
		fail("there is nothing in it")
	}
	reader := tlog.TileHashReader(tree, log)
	for first := int64(0); first < tree.N; first += width {
		count := tree.N - first
		if count > width {
			count = width
		}
		for nth, entry := range log.bundle(first/width, count) {
			index := first + int64(nth)
			hash := tlog.RecordHash(entry)
			proof, err := tlog.ProveRecord(tree.N, index, reader)
			if err != nil {
				fail("entry %d: %v", index, err)
			}
			if err := tlog.CheckRecord(proof, tree.N, tree.Hash, index, hash); err != nil {
				fail("entry %d: %v", index, err)
			}
			older := index + 1
			root, err := tlog.TreeHash(older, reader)
			if err != nil {
				fail("the root of %d: %v", older, err)
			}
			grown, err := tlog.ProveTree(tree.N, older, reader)
			if err != nil {
				fail("from %d: %v", older, err)
			}
			if err := tlog.CheckTree(grown, tree.N, tree.Hash, older, root); err != nil {
				fail("from %d: %v", older, err)
			}
		}
	}
	for at := 3; at < len(os.Args); at += 2 {
		checkReceipt(os.Args[at], os.Args[at+1], verifiers)
	}
	fmt.Printf("{\"entries\":%d,\"receipts\":%d}\n", tree.N, (len(os.Args)-3)/2)
}
