// The same check as a process: its configuration is the argument.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static double number(const char *config, const char *key, double otherwise) {
    const char *at = strstr(config, key);
    return at == NULL ? otherwise : strtod(at + strlen(key), NULL);
}

int main(int count, char **arguments) {
    if (count < 2) return 3;
    double waiting = number(arguments[1], "\"waiting\":", 7), limit = number(arguments[1], "\"limit\":", 10);
    printf("OK - %g of at most %g jobs wait | waiting=%g\n", waiting, limit, waiting);
    return 0;
}
