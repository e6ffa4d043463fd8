package main

import (
	"errors"
	"strings"
	"testing"
	"time"

	sickbay "github.com/sickbay/sickbay/sdk/go"
	"github.com/sickbay/sickbay/sdk/go/sickbaytest"
	"github.com/sickbay/sickbay/sdk/go/sink"
)

func message(host *sickbaytest.Host) { host.HTTP.ReplyJSON(200, map[string]string{"id": "m7"}) }

func TestThePluginIsDescribedAsTheHostWantsIt(t *testing.T) { sickbaytest.AssertValid(t, plugin) }

func TestAGroupIsOneMessageThatIsEdited(t *testing.T) {
	host := sickbaytest.New(t)
	message(host)
	receipt, err := host.Deliver(chat, nil, sickbaytest.Notification())
	if err != nil || receipt.Reference != "m7" {
		t.Fatal(receipt, err)
	}

	message(host)
	alert := sickbaytest.Alert()
	alert.Check, alert.Summary, alert.Phase = "api", "up", sink.Resolved
	resolved := sickbaytest.Notification(alert)
	resolved.Reference = receipt.Reference
	if _, err := host.Deliver(chat, nil, resolved); err != nil {
		t.Fatal(err)
	}
	post, put := host.HTTP.Sent[0], host.HTTP.Sent[1]
	if post.Method != "POST" || put.Method != "PUT" || !strings.HasSuffix(put.URL, "/messages/m7") {
		t.Errorf("sent %s %s and %s %s", post.Method, post.URL, put.Method, put.URL)
	}
	if !strings.Contains(string(put.Body), "api: up") {
		t.Errorf("sent %s", put.Body)
	}
}

func TestTheTokenGoesOutAsThePlaceholderThatCame(t *testing.T) {
	host := sickbaytest.New(t)
	message(host)
	if _, err := host.Deliver(chat, nil, sickbaytest.Notification()); err != nil {
		t.Fatal(err)
	}
	if sent := host.HTTP.Sent[0].Header.Get("authorization"); sent != "Bearer {{secret:chat-token}}" {
		t.Errorf("sent %s", sent)
	}
}

func TestARefusalIsForGoodAndEverythingElseIsTriedAgain(t *testing.T) {
	host := sickbaytest.New(t)
	host.HTTP.Reply(404, "")
	_, err := host.Deliver(chat, nil, sickbaytest.Notification())
	if permanent := new(sink.PermanentError); !errors.As(err, &permanent) {
		t.Errorf("404 became %v", err)
	}
	host.HTTP.Reply(429, "").Answer.Header.Set("retry-after", "30")
	_, err = host.Deliver(chat, nil, sickbaytest.Notification())
	if retryable := new(sink.RetryableError); !errors.As(err, &retryable) || retryable.After != 30*time.Second {
		t.Errorf("429 became %v", err)
	}
	host.HTTP.Fail(sickbay.ServiceErrorf(sickbay.FailureTimeout, "no answer"))
	_, err = host.Deliver(chat, nil, sickbaytest.Notification())
	if retryable := new(sink.RetryableError); !errors.As(err, &retryable) {
		t.Errorf("a timeout became %v", err)
	}
}

func TestAWordOfALaterVersionIsPassedOver(t *testing.T) {
	host := sickbaytest.New(t)
	later := sickbaytest.Notification()
	later.Phase = sink.Other
	if receipt, err := host.Deliver(chat, nil, later); receipt.Reference != "" || err != nil || len(host.HTTP.Sent) != 0 {
		t.Error(receipt, err, host.HTTP.Sent)
	}
}
