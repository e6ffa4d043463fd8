module plugin-name

go 1.24

require github.com/sickbay/sickbay/sdk/go v0.1.0
