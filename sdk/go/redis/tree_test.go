package redis

import (
	"reflect"
	"testing"

	contract "github.com/sickbay/sickbay/sdk/go/internal/contract/redis"
)

func TestNodesAreReadAsATree(t *testing.T) {
	reply := tree([]contract.Node{
		{Case: contract.NodeArrayOf, Value: uint32(3)},
		{Case: contract.NodeMapOf, Value: uint32(1)}, {Case: contract.NodeBulk, Value: []byte("a")}, {Case: contract.NodeInt, Value: int64(1)},
		{Case: contract.NodeNil},
		{Case: contract.NodeBigNumber, Value: "12345678901234567890"},
	})
	expected := Reply{Value: []Reply{{Value: Pairs{{Value: []byte("a")}, {Value: int64(1)}}}, {}, {Value: []byte("12345678901234567890")}}}
	if !reflect.DeepEqual(reply, expected) {
		t.Errorf("read %v", reply)
	}
}

func TestNodesThatAreNoTreeAreAFailure(t *testing.T) {
	array := contract.Node{Case: contract.NodeArrayOf, Value: uint32(1)}
	deep := make([]contract.Node, 1000)
	for at := range deep {
		deep[at] = array
	}
	for _, nodes := range [][]contract.Node{nil, {array}, {{}, {}}, deep, {{Case: contract.NodeArrayOf, Value: uint32(1 << 31)}}} {
		if reply := tree(nodes); reply.Err() == nil {
			t.Errorf("%v is %v", nodes[:min(3, len(nodes))], reply)
		}
	}
}
