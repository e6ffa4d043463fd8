package main

import (
	"testing"
	"time"

	sickbay "github.com/sickbay/sickbay/sdk/go"
	"github.com/sickbay/sickbay/sdk/go/sickbaytest"
)

func TestThePluginIsDescribedAsTheHostWantsIt(t *testing.T) { sickbaytest.AssertValid(t, plugin) }

func TestTheFirstRunHasNothingToCompareWith(t *testing.T) {
	report, err := sickbaytest.New(t).Run(pluginCheck, nil)
	if err != nil || report.Status != sickbay.StatusOK {
		t.Error(report, err)
	}
}

func TestARunLongAfterTheOneBeforeIsAWarning(t *testing.T) {
	host := sickbaytest.New(t)
	config := Config{Limit: time.Minute}
	if _, err := host.Run(pluginCheck, config); err != nil {
		t.Fatal(err)
	}
	host.Clock.Advance(61 * time.Second)
	report, err := host.Run(pluginCheck, config)
	if err != nil {
		t.Fatal(err)
	}
	if report.Status != sickbay.StatusWarning || report.Failure != "latency" {
		t.Error(report)
	}
	sickbaytest.AssertDescribed(t, pluginCheck, report)
}
