package sickbay

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// Failure kinds that the host tells, of a [ServiceError].
const (
	FailureDNS                = "dns"
	FailureRefused            = "refused"
	FailureConnection         = "connection"
	FailureTLS                = "tls"
	FailureTimeout            = "timeout"
	FailureProtocol           = "protocol"
	FailureAuthentication     = "authentication"
	FailureTooManyConnections = "too-many-connections"
	FailureContent            = "content"
	FailureMissing            = "missing"
	FailureFileSystem         = "file-system"
	FailureSecret             = "secret"
)

// ServiceError is what the service did: it refused, hung or answered wrongly. A check that returns it becomes a critical report.
//
// `errors.Is` knows it as os.ErrDeadlineExceeded where it is a timeout and as fs.ErrNotExist where a file is missing.
type ServiceError struct {
	// The word that recoveries are matched by: one of the constants above, or one of your own.
	Failure string
	Message string
	cause   error
}

func (err *ServiceError) Error() string { return err.Message }
func (err *ServiceError) Unwrap() error { return err.cause }

// Timeout says whether there was no answer in time, as net.Error has it.
func (err *ServiceError) Timeout() bool { return err.Failure == FailureTimeout }

// Is compares with the errors of the standard library that mean the same.
func (err *ServiceError) Is(target error) bool {
	switch target {
	case os.ErrDeadlineExceeded, context.DeadlineExceeded:
		return err.Failure == FailureTimeout
	case fs.ErrNotExist:
		return err.Failure == FailureMissing
	}
	return false
}

// PluginErrorKind says what of the plugin's side went wrong.
type PluginErrorKind string

const (
	// Denied means that a grant is missing.
	Denied PluginErrorKind = "denied"
	// Quota means that a quota of the run is used up.
	Quota PluginErrorKind = "quota"
	// Configuration means that the configuration cannot be worked with, or that a request breaks a bound.
	Configuration PluginErrorKind = "configuration"
	// Internal means a defect of the plugin, or an answer of the host that nothing can be judged by.
	Internal PluginErrorKind = "internal"
)

// PluginError is what the plugin, its configuration or its grants did: it says nothing about the service. The run becomes a failure, which
// the host records as `unknown`.
type PluginError struct {
	Kind    PluginErrorKind
	Message string
	// Of a denial: the line of configuration that would allow it, or empty where none would help.
	Hint  string
	cause error
}

func (err *PluginError) Error() string {
	if err.Hint != "" {
		return err.Message + "; hint: " + err.Hint
	}
	return err.Message
}

func (err *PluginError) Unwrap() error { return err.cause }

// Is compares with fs.ErrPermission: a denial is that too.
func (err *PluginError) Is(target error) bool {
	return target == fs.ErrPermission && err.Kind == Denied
}

// ServiceErrorf makes a [ServiceError] with a failure kind of your own; `%w` keeps a cause.
func ServiceErrorf(failure, format string, values ...any) error {
	mustBeWord("failure kind", failure)
	told := fmt.Errorf(format, values...)
	return &ServiceError{Failure: failure, Message: told.Error(), cause: errors.Unwrap(told)}
}

// ConfigurationErrorf says that the configuration cannot be worked with.
func ConfigurationErrorf(format string, values ...any) error {
	return pluginErrorf(Configuration, format, values)
}

// QuotaErrorf says that a bound was reached.
func QuotaErrorf(format string, values ...any) error { return pluginErrorf(Quota, format, values) }

// InternalErrorf says that the plugin has a defect, or got an answer of the host that nothing can be judged by.
func InternalErrorf(format string, values ...any) error {
	return pluginErrorf(Internal, format, values)
}

func pluginErrorf(kind PluginErrorKind, format string, values []any) error {
	told := fmt.Errorf(format, values...)
	return &PluginError{Kind: kind, Message: told.Error(), cause: errors.Unwrap(told)}
}

// Meaning answers whose mistake an error was: the outermost [ServiceError] or [PluginError] in it decides, with the words of the whole
// error. An error without either is a defect of the plugin. Exactly one of the two answers is nil, both where there is no error.
func Meaning(err error) (*ServiceError, *PluginError) {
	switch found := outermost(err).(type) {
	case nil:
		if err == nil {
			return nil, nil
		}
	case *ServiceError:
		if err == error(found) {
			return found, nil
		}
		return &ServiceError{Failure: found.Failure, Message: err.Error(), cause: err}, nil
	case *PluginError:
		if err == error(found) {
			return nil, found
		}
		return nil, &PluginError{Kind: found.Kind, Message: err.Error(), cause: err}
	}
	return nil, &PluginError{Kind: Internal, Message: err.Error(), cause: err}
}

func outermost(err error) error {
	switch err.(type) {
	case nil, *ServiceError, *PluginError:
		return err
	}
	switch wrapping := err.(type) {
	case interface{ Unwrap() error }:
		return outermost(wrapping.Unwrap())
	case interface{ Unwrap() []error }:
		for _, inner := range wrapping.Unwrap() {
			if found := outermost(inner); found != nil {
				return found
			}
		}
	}
	return nil
}
