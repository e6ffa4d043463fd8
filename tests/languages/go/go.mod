module bench-go

go 1.24

require github.com/sickbay/sickbay/sdk/go v0.1.0

replace github.com/sickbay/sickbay/sdk/go => ../../../sdk/go
