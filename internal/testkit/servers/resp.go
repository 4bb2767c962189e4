package servers

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// command sends commands of Redis on a new connection and returns the last
// one's reply: the lines of an array, or the text of anything else. An error
// that the server replies is an error.
func command(addr string, secure *tls.Config, commands ...[]string) (string, error) {
	var d interface {
		Dial(network, addr string) (net.Conn, error)
	} = &net.Dialer{Timeout: 2 * time.Second}
	if secure != nil {
		d = &tls.Dialer{NetDialer: &net.Dialer{Timeout: 2 * time.Second}, Config: secure}
	}
	c, err := d.Dial("tcp", addr)
	if err != nil {
		return "", err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	in := bufio.NewReader(c)
	reply := ""
	for _, words := range commands {
		var out strings.Builder
		fmt.Fprintf(&out, "*%d\r\n", len(words))
		for _, w := range words {
			fmt.Fprintf(&out, "$%d\r\n%s\r\n", len(w), w)
		}
		if _, err := io.WriteString(c, out.String()); err != nil {
			return "", err
		}
		if reply, err = readReply(in); err != nil {
			return "", fmt.Errorf("%s: %w", words[0], err)
		}
	}
	return reply, nil
}

// readReply reads a value of the Redis serialization protocol, version 2.
func readReply(in *bufio.Reader) (string, error) {
	line, err := in.ReadString('\n')
	if err != nil {
		return "", err
	}
	line = strings.TrimRight(line, "\r\n")
	if line == "" {
		return "", errors.New("an empty line for a reply")
	}
	rest := line[1:]
	switch line[0] {
	case '+', ':':
		return rest, nil
	case '-':
		return "", errors.New(rest)
	}
	n, err := strconv.Atoi(rest)
	switch {
	case err != nil:
		return "", fmt.Errorf("%q for a reply", line)
	case n < 0:
		return "", nil
	case line[0] == '$':
		b := make([]byte, n+2)
		_, err := io.ReadFull(in, b)
		return string(b[:n]), err
	case line[0] == '*':
		all := make([]string, n)
		for i := range all {
			if all[i], err = readReply(in); err != nil {
				return "", err
			}
		}
		return strings.Join(all, "\n"), nil
	}
	return "", fmt.Errorf("%q for a reply", line)
}
