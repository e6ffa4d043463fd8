package main

import (
	"reflect"
	"testing"
	"time"

	sickbay "github.com/sickbay/sickbay/sdk/go"
	"github.com/sickbay/sickbay/sdk/go/recovery"
	"github.com/sickbay/sickbay/sdk/go/sickbaytest"
)

type object = map[string]any

var action = recovery.Action{
	ID: "restart-api", Title: "Restart api (2 replicas)", Target: "api", Parameters: recovery.JSON(object{"replicas": 2}),
}

func expect(t *testing.T, found, expected any) {
	t.Helper()
	if !reflect.DeepEqual(found, expected) {
		t.Errorf("found    %#v\nexpected %#v", found, expected)
	}
}

func TestThePluginIsDescribedAsTheHostWantsIt(t *testing.T) { sickbaytest.AssertValid(t, plugin) }

func TestThePlanOnlyReadsAndNamesTheStep(t *testing.T) {
	host := sickbaytest.New(t)
	host.HTTP.ReplyJSON(200, object{"state": "running", "replicas": 2})
	actions, err := host.Plan(restart, nil)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, actions, []recovery.Action{action})
	expect(t, host.HTTP.Sent[0].Method, "GET")
}

func TestAServiceThatRestartsAlreadyNeedsNoStep(t *testing.T) {
	host := sickbaytest.New(t)
	host.HTTP.ReplyJSON(200, object{"state": "restarting", "replicas": 2})
	if actions, err := host.Plan(restart, nil); len(actions) != 0 || err != nil {
		t.Errorf("planned %v, %v", actions, err)
	}
}

func TestAStepIsFollowedUntilItIsDone(t *testing.T) {
	host := sickbaytest.New(t)
	host.IdempotencyKey = "01KEY"
	host.HTTP.ReplyJSON(201, object{"id": "r1", "state": "running"})
	begun, err := host.Act(restart, nil, action)
	if err != nil {
		t.Fatal(err)
	}
	running := recovery.Running{Token: recovery.JSON("r1"), Summary: "api is restarting", AgainAfter: 5 * time.Second}
	expect(t, begun, recovery.Progress(running))
	expect(t, host.HTTP.Sent[0].Header.Get("idempotency-key"), "01KEY")

	host.HTTP.ReplyJSON(200, object{"id": "r1", "state": "done"})
	ended, err := host.Follow(restart, nil, action, running.Token)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, ended, recovery.Progress(recovery.Outcome{Success: true, Reason: "api was restarted", Actions: []string{"restart r1"}}))
	expect(t, host.HTTP.Sent[1].URL, "https://orchestrator.example.com/services/api/restarts/r1")
}

func TestAnOrchestratorThatDoesNotAnswerHasNotDoneTheStep(t *testing.T) {
	host := sickbaytest.New(t)
	host.HTTP.Fail(sickbay.ServiceErrorf(sickbay.FailureConnection, "connection reset"))
	ended, err := host.Act(restart, nil, action)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, ended, recovery.Progress(recovery.Outcome{Reason: "connection: connection reset"}))
}
