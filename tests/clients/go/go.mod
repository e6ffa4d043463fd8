module example.com/client-go

go 1.24

require github.com/sickbay/sickbay/sdk/go v0.1.0

// Here the SDK is not fetched but stands beside.
replace github.com/sickbay/sickbay/sdk/go => ../../../sdk/go
