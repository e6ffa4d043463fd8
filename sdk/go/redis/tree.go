package redis

import (
	sickbay "github.com/sickbay/sickbay/sdk/go"
	contract "github.com/sickbay/sickbay/sdk/go/internal/contract/redis"
)

// Arrays in arrays; no command answers deeper.
const depthMax = 32

// tree reads a flat list of nodes, in which n elements follow their array.
func tree(nodes []contract.Node) Reply {
	reply, rest, is := next(nodes, 0)
	if !is || len(rest) > 0 {
		return Failed(sickbay.InternalErrorf("the reply is not a tree of at most %d levels", depthMax))
	}
	return reply
}

func next(nodes []contract.Node, depth int) (reply Reply, rest []contract.Node, is bool) {
	if len(nodes) == 0 || depth > depthMax {
		return reply, nil, false
	}
	node, rest := nodes[0], nodes[1:]
	count, _ := node.Value.(uint32)
	var list []Reply
	switch node.Case {
	case contract.NodeFailed:
		return Failed(&RefusalError{node.Value.(string)}), rest, true
	case contract.NodeArrayOf, contract.NodeSetOf:
		list, rest, is = elements(rest, int(count), depth)
		return Reply{Value: list}, rest, is
	case contract.NodeMapOf:
		list, rest, is = elements(rest, 2*int(count), depth)
		return Reply{Value: Pairs(list)}, rest, is
	case contract.NodeBigNumber, contract.NodeOther:
		return Reply{Value: []byte(node.Value.(string))}, rest, true
	}
	// Nil, int64, float64, bool, string and []byte are themselves.
	return Reply{Value: node.Value}, rest, true
}

func elements(nodes []contract.Node, count, depth int) (list []Reply, rest []contract.Node, is bool) {
	if count > len(nodes) {
		return nil, nil, false
	}
	list, rest = make([]Reply, count), nodes
	for at := range list {
		if list[at], rest, is = next(rest, depth+1); !is {
			return nil, nil, false
		}
	}
	return list, rest, true
}
