package main

import (
	sickbay "github.com/sickbay/sickbay/sdk/go"
	"github.com/sickbay/sickbay/sdk/go/check"
	"github.com/sickbay/sickbay/sdk/go/files"
	"github.com/sickbay/sickbay/sdk/go/secrets"
	"github.com/sickbay/sickbay/sdk/go/system"
)

const (
	readBytesMax = 4096
	mode         = 0o640
)

type filesConfig struct {
	Paths      []string `json:"paths"`
	What       string   `json:"what" doc:"What is done with each" enum:"info,directory,read,space,create,remove,mode" default:"info"`
	TellErrors bool     `json:"tell_errors" doc:"Whether an error is a line" default:"false"`
}

var useFiles = check.Kind[filesConfig]{
	Name:    "files",
	Summary: "Tells of files",
	Example: filesConfig{Paths: []string{"/etc/hostname"}, What: "info"},
	Run: func(run *check.Run, config filesConfig) (*sickbay.Report, error) {
		var told lines
		for _, path := range config.Paths {
			if err := told.failed(work(run, config.What, path, &told), config.TellErrors); err != nil {
				return nil, err
			}
		}
		return told.report(), nil
	},
}

func work(run *check.Run, what, path string, told *lines) error {
	switch what {
	case "info":
		info, err := files.Stat(run, path)
		if err == nil {
			tellFile(told, info)
		}
		return err
	case "directory":
		entries, err := files.ReadDirectory(run, path)
		if err != nil {
			return err
		}
		for _, info := range entries {
			tellFile(told, info)
		}
		return nil
	case "read":
		content, err := files.Read(run, path, 0, readBytesMax)
		if err == nil {
			told.add("read %s", byteString(content))
		}
		return err
	case "space":
		space, err := files.ReadSpace(run, path)
		if err == nil {
			told.add("space %s", floats(space.TotalBytes, space.AvailableBytes, space.InodesTotal, space.InodesFree))
		}
		return err
	}
	if err := change(run, what, path); err != nil {
		return err
	}
	told.add("done")
	return nil
}

func change(run *check.Run, what, path string) error {
	switch what {
	case "create":
		return files.CreateDirectory(run, path)
	case "remove":
		return files.Remove(run, path)
	}
	return files.SetMode(run, path, mode)
}

func tellFile(told *lines, info files.Info) {
	told.add(
		"file %s %s %d %s %d %t %s",
		text(info.Name), text(info.Kind), info.Size, milliseconds(info.ModifiedAt), uint32(info.Mode), info.Writable, text(info.Identity),
	)
}

type secretsConfig struct {
	Secrets    []string `json:"secrets" doc:"Names of secrets; of encode what is encoded"`
	What       string   `json:"what" doc:"What is done with each" enum:"inspect,sign,encode" default:"inspect"`
	TellErrors bool     `json:"tell_errors" doc:"Whether an error is a line" default:"false"`
}

var useSecrets = check.Kind[secretsConfig]{
	Name:    "secrets",
	Summary: "Uses secrets",
	Example: secretsConfig{Secrets: []string{"api"}, What: "inspect"},
	Run: func(run *check.Run, config secretsConfig) (*sickbay.Report, error) {
		var told lines
		for _, secret := range config.Secrets {
			if err := told.failed(used(run, config.What, secret, &told), config.TellErrors); err != nil {
				return nil, err
			}
		}
		return told.report(), nil
	},
}

func used(run *check.Run, what, secret string, told *lines) error {
	switch what {
	case "sign":
		signatures, err := secrets.SignPrefixed(run, secret, secrets.HMACSHA256, "AWS4", []byte("data"))
		if err != nil {
			return err
		}
		for _, signature := range signatures {
			told.add("signature %s", octets(signature))
		}
		return nil
	case "encode":
		encoded, err := secrets.Encode(run, secret, secrets.Base64)
		if err == nil {
			told.add("encoded %s", text(encoded))
		}
		return err
	}
	info, err := secrets.Inspect(run, secret)
	if err != nil {
		return err
	}
	changed := "null"
	if !info.ChangedAt.IsZero() {
		changed = milliseconds(info.ChangedAt)
	}
	told.add("secret %s %d", changed, info.Versions)
	return nil
}

type systemConfig struct {
	What       []string `json:"what" doc:"cpu, memory, load, disks, io, processes, listeners, files"`
	Process    string   `json:"process" doc:"Of which name" default:"nginx"`
	TellErrors bool     `json:"tell_errors" doc:"Whether an error is a line" default:"false"`
}

var readSystem = check.Kind[systemConfig]{
	Name:    "system",
	Summary: "Tells of the machine",
	Example: systemConfig{What: []string{"memory"}, Process: "nginx"},
	Run: func(run *check.Run, config systemConfig) (*sickbay.Report, error) {
		var told lines
		for _, what := range config.What {
			if err := told.failed(read(run, what, config.Process, &told), config.TellErrors); err != nil {
				return nil, err
			}
		}
		return told.report(), nil
	},
}

func read(run *check.Run, what, process string, told *lines) error {
	switch what {
	case "cpu":
		cpu, err := system.ReadCPU(run)
		if err == nil {
			told.add("cpu %s %d %d", floats(cpu.BusyRatio, cpu.IOWaitRatio), cpu.Cores, cpu.Window.Milliseconds())
		}
		return err
	case "memory":
		memory, err := system.ReadMemory(run)
		if err == nil {
			told.add("memory %s", floats(memory.TotalBytes, memory.AvailableBytes, memory.SwapTotalBytes, memory.SwapUsedBytes))
		}
		return err
	case "load":
		load, err := system.ReadLoad(run)
		if err == nil {
			told.add("load %s", floats(load.One, load.Five, load.Fifteen))
		}
		return err
	case "files":
		opened, err := system.ReadOpenFiles(run)
		if err == nil {
			told.add("open-files %s", floats(opened.Open, opened.Maximum))
		}
		return err
	}
	return readLists(run, what, process, told)
}

func readLists(run *check.Run, what, process string, told *lines) error {
	switch what {
	case "disks":
		disks, err := system.ReadDisks(run)
		for _, disk := range disks {
			room := floats(disk.TotalBytes, disk.AvailableBytes, disk.InodesTotal, disk.InodesFree)
			told.add("disk %s %s %s %s %t", text(disk.Mount), text(disk.Device), text(disk.FileSystem), room, disk.ReadOnly)
		}
		return err
	case "io":
		devices, err := system.ReadDiskIO(run)
		for _, device := range devices {
			told.add("io %s %s", text(device.Device), floats(device.ReadBytes, device.WrittenBytes, device.BusySeconds))
		}
		return err
	case "processes":
		processes, err := system.ReadProcesses(run, process)
		for _, one := range processes {
			facts := floats(one.ResidentBytes, one.CPUSeconds)
			told.add("process %d %s %s %s", one.PID, text(one.Name), facts, milliseconds(one.StartedAt))
		}
		return err
	case "listeners":
		listeners, err := system.ReadListeners(run)
		for _, one := range listeners {
			told.add("listener %s %s %d %s", text(one.Protocol), text(one.Address), one.Port, optional(one.Process))
		}
		return err
	}
	return sickbay.ConfigurationErrorf("there is no topic %s", what)
}
