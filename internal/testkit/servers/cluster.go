package servers

import (
	"fmt"
	"net"
	"strconv"
	"testing"
)

// Cluster is a Redis Cluster of three masters without replicas.
type Cluster struct {
	Addrs []string
	Nodes []*RedisServer // with append-only files; the cluster is down while one of them is
}

const (
	clusterNodes = 3
	clusterSlots = 16384
)

// RedisCluster starts one and waits until all nodes say that all slots are served.
func RedisCluster(t testing.TB) *Cluster {
	t.Helper()
	c := &Cluster{}
	do := func(n *RedisServer, words ...string) {
		t.Helper()
		if _, err := n.Do(words...); err != nil {
			t.Fatal(err)
		}
	}
	for i := range clusterNodes {
		bus := freePort(t)
		n := Redis(t, RedisOptions{AppendOnly: true, more: []string{
			"--cluster-enabled", "yes", "--cluster-port", bus, "--cluster-node-timeout", "2000", "--cluster-config-file", "nodes.conf",
		}})
		first, last := i*clusterSlots/clusterNodes, (i+1)*clusterSlots/clusterNodes-1
		do(n, "CLUSTER", "ADDSLOTSRANGE", strconv.Itoa(first), strconv.Itoa(last))
		do(n, "CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(i+1))
		if i > 0 {
			host, port, _ := net.SplitHostPort(n.Addr)
			do(c.Nodes[0], "CLUSTER", "MEET", host, port, bus)
		}
		c.Nodes, c.Addrs = append(c.Nodes, n), append(c.Addrs, n.Addr)
	}
	if err := c.Ready(); err != nil {
		t.Fatal(err)
	}
	return c
}

// Ready waits until all nodes say that all slots are served.
func (c *Cluster) Ready() error {
	return await("the cluster is ready", func() error {
		for _, n := range c.Nodes {
			for _, text := range []string{"cluster_state:ok", fmt.Sprint("cluster_slots_ok:", clusterSlots), fmt.Sprint("cluster_known_nodes:", clusterNodes)} {
				if err := contains(n, text, "CLUSTER", "INFO"); err != nil {
					return err
				}
			}
		}
		return nil
	})
}
