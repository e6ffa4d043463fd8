module github.com/sickbay/sickbay/sdk/go

go 1.24
