/// Write Sickbay plugins in C.
///
/// A plugin is a WebAssembly component that describes the kinds of check, recovery and sink it offers and runs them. With this SDK a kind
/// is a function, a struct for its configuration and a descriptor; a macro exports them. Nothing but the compiler's own headers is needed:
/// no C library, no WASI.
///
/// - `plugin.h`: the descriptors and the macros that export them; `check.h`, `recovery.h`, `sink.h`: what each is asked and answers.
/// - `config.h`: a configuration as a struct; `report.h`, `limit.h`: what was found; `error.h`: whose mistake it was.
/// - `text.h`, `json.h`: texts, memory, formats, numbers, JSON.
/// - `http.h`, `postgres.h`, `redis.h`, `net.h`, `files.h`, `secrets.h`, `system.h`, `state.h`, `log.h`, `clock.h`: what a run may use, as
///   far as the operator granted it. A plugin imports only what it calls.
/// - `testing.h` (native only): a scripted host, so that tests run without WebAssembly.
///
/// Names that end with `_` are the SDK's own.
#pragma once

#include "clock.h"
#include "files.h"
#include "http.h"
#include "limit.h"
#include "log.h"
#include "net.h"
#include "plugin.h"
#include "postgres.h"
#include "redis.h"
#include "secrets.h"
#include "state.h"
#include "system.h"
