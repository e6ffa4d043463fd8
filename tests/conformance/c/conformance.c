/// The conformance plugin in C. `tests/conformance/README.md` says what each kind does and how it tells what it saw.
#include "conformance.h"

SB_CHECK_PLUGIN("conformance-c", "0.1.0", "What every language must do alike",
                .checks = SB_CHECKS(&asked, &reports, &end_kind, &kept, &logged, &ask_http, &ask_postgres, &ask_redis, &net_kind, &dns_kind,
                                    &use_files, &use_secrets, &read_system),
                .licence = "Apache-2.0");
