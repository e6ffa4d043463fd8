/// `printf` without a C library.
#include "internal.h"

/// More would be no text for people.
#define WIDTH_MAX (64 << 10)
#define PRECISION_MAX 1024

typedef struct {
    bool left, sign, blank, zero, alternative;
    int width;
    /// -1 where there is none.
    int precision;
} layout;

static int read_number(const char **at) {
    int number = 0;
    while (sb_is_digit(**at)) {
        number = number < WIDTH_MAX ? number * 10 + (**at - '0') : number;
        (*at)++;
    }
    return number < WIDTH_MAX ? number : WIDTH_MAX;
}

/// A part with its sign before and its padding round it. Zeros go behind the sign.
static void put(sb_buffer *out, const layout *spec, sb_text sign, sb_text body, bool zeros) {
    size_t len = sign.len + body.len, width = (size_t)spec->width;
    size_t padding = width > len ? width - len : 0;
    if (!spec->left && !zeros) {
        sb_buffer_fill(out, ' ', padding);
    }
    sb_buffer_add(out, sign);
    if (!spec->left && zeros) {
        sb_buffer_fill(out, '0', padding);
    }
    sb_buffer_add(out, body);
    if (spec->left) {
        sb_buffer_fill(out, ' ', padding);
    }
}

static sb_text sign_of(const layout *spec, bool is_negative) {
    return is_negative ? SB("-") : spec->sign ? SB("+") : spec->blank ? SB(" ") : SB("");
}

static void put_whole(sb_buffer *out, const layout *spec, sb_text sign, uint64_t number, unsigned base, bool capitals) {
    const char *digits = capitals ? "0123456789ABCDEF" : "0123456789abcdef";
    char reversed[24];
    size_t count = 0;
    for (; number > 0; number /= base) {
        reversed[count++] = digits[number % base];
    }
    sb_buffer body = {0};
    size_t least = spec->precision < 0 ? 1 : (size_t)spec->precision;
    sb_buffer_fill(&body, '0', least > count ? least - count : 0);
    while (count > 0) {
        sb_buffer_fill(&body, reversed[--count], 1);
    }
    put(out, spec, sign, (sb_text){body.data, body.len}, spec->zero && spec->precision < 0);
}

/// The digits from place `from` on; what the number does not have are zeros.
static void add_digits(sb_buffer *body, const sb_decimal *decimal, int from, int count) {
    for (int place = from; place < from + count; place++) {
        sb_buffer_fill(body, place >= 0 && place < decimal->count ? decimal->digits[place] : '0', 1);
    }
}

static void put_fixed(sb_buffer *body, const sb_decimal *decimal, int places, bool point) {
    if (decimal->count > 0 && decimal->point > 0) {
        add_digits(body, decimal, 0, decimal->point);
    } else {
        sb_buffer_fill(body, '0', 1);
    }
    if (places > 0 || point) {
        sb_buffer_fill(body, '.', 1);
    }
    add_digits(body, decimal, decimal->count > 0 ? decimal->point : 0, places);
}

static void put_exponent(sb_buffer *body, const sb_decimal *decimal, int places, bool point, bool capitals) {
    add_digits(body, decimal, 0, 1);
    if (places > 0 || point) {
        sb_buffer_fill(body, '.', 1);
    }
    add_digits(body, decimal, 1, places);
    int exponent = decimal->count > 0 ? decimal->point - 1 : 0;
    unsigned size = (unsigned)(exponent < 0 ? -exponent : exponent);
    sb_buffer_fill(body, capitals ? 'E' : 'e', 1);
    sb_buffer_fill(body, exponent < 0 ? '-' : '+', 1);
    if (size >= 100) {
        sb_buffer_fill(body, (char)('0' + size / 100), 1);
    }
    sb_buffer_fill(body, (char)('0' + size / 10 % 10), 1);
    sb_buffer_fill(body, (char)('0' + size % 10), 1);
}

static sb_decimal significant(double number, int count) {
    sb_decimal nothing = {.count = 0};
    return number == 0 ? nothing : sb_significant(number, count < 17 ? count : 17);
}

static int last_digit(const sb_decimal *decimal) {
    int count = decimal->count;
    while (count > 1 && decimal->digits[count - 1] == '0') {
        count--;
    }
    return count;
}

static void put_double(sb_buffer *out, const layout *spec, double number, char conversion) {
    bool capitals = conversion < 'a';
    char form = capitals ? (char)(conversion + ('a' - 'A')) : conversion;
    bool is_negative = number < 0 || (number == 0 && 1 / number < 0);
    sb_text sign = sign_of(spec, is_negative);
    double size = is_negative ? -number : number;
    if (!sb_is_finite(number)) {
        put(out, spec, sign, number == number ? (capitals ? SB("INF") : SB("inf")) : (capitals ? SB("NAN") : SB("nan")), false);
        return;
    }
    int precision = spec->precision < 0 ? 6 : spec->precision < PRECISION_MAX ? spec->precision : PRECISION_MAX;
    sb_buffer body = {0};
    if (form == 'f') {
        sb_decimal nothing = {.count = 0};
        sb_decimal decimal = size == 0 ? nothing : sb_rounded(size, precision);
        put_fixed(&body, &decimal, precision, spec->alternative);
    } else if (form == 'e') {
        sb_decimal decimal = significant(size, precision + 1);
        put_exponent(&body, &decimal, precision, spec->alternative, capitals);
    } else {
        int count = precision == 0 ? 1 : precision;
        sb_decimal decimal = significant(size, count);
        int exponent = decimal.count > 0 ? decimal.point - 1 : 0;
        int shown = spec->alternative ? count : last_digit(&decimal);
        if (exponent < -4 || exponent >= count) {
            put_exponent(&body, &decimal, shown - 1, spec->alternative, capitals);
        } else {
            int places = shown - 1 - exponent;
            put_fixed(&body, &decimal, places > 0 ? places : 0, spec->alternative);
        }
    }
    put(out, spec, sign, (sb_text){body.data, body.len}, spec->zero);
}

static void put_string(sb_buffer *out, const layout *spec, const char *string) {
    if (string == NULL) {
        string = "(null)";
    }
    size_t len = 0;
    while ((spec->precision < 0 || len < (size_t)spec->precision) && string[len] != 0) {
        len++;
    }
    put(out, spec, SB(""), (sb_text){string, len}, false);
}

static const char *read_flags(const char *at, layout *spec) {
    for (;; at++) {
        switch (*at) {
        case '-': spec->left = true; continue;
        case '+': spec->sign = true; continue;
        case ' ': spec->blank = true; continue;
        case '0': spec->zero = true; continue;
        case '#': spec->alternative = true; continue;
        default: return at;
        }
    }
}

/// `h`, `l`, `ll`, `z`, `j`, `t` as the size of what is passed.
static const char *read_length(const char *at, size_t *bytes) {
    *bytes = sizeof(int);
    switch (*at) {
    case 'h': return at[1] == 'h' ? at + 2 : at + 1;
    case 'l': *bytes = at[1] == 'l' ? sizeof(long long) : sizeof(long); return at[1] == 'l' ? at + 2 : at + 1;
    case 'j': *bytes = sizeof(intmax_t); return at + 1;
    case 'z': *bytes = sizeof(size_t); return at + 1;
    case 't': *bytes = sizeof(ptrdiff_t); return at + 1;
    default: return at;
    }
}

static const char *read_bounds(const char *at, layout *spec, va_list *arguments) {
    at = read_flags(at, spec);
    if (*at == '*') {
        int width = va_arg(*arguments, int);
        spec->left = spec->left || width < 0;
        spec->width = width < -WIDTH_MAX || width > WIDTH_MAX ? WIDTH_MAX : width < 0 ? -width : width;
        at++;
    } else {
        spec->width = read_number(&at);
    }
    if (*at != '.') {
        return at;
    }
    at++;
    if (*at == '*') {
        spec->precision = va_arg(*arguments, int);
        return at + 1;
    }
    spec->precision = read_number(&at);
    return at;
}

static void put_signed(sb_buffer *out, const layout *spec, int64_t number) {
    put_whole(out, spec, sign_of(spec, number < 0), number < 0 ? 0 - (uint64_t)number : (uint64_t)number, 10, false);
}

static void put_unsigned(sb_buffer *out, const layout *spec, uint64_t number, char conversion) {
    unsigned base = conversion == 'u' ? 10 : conversion == 'o' ? 8 : 16;
    put_whole(out, spec, spec->alternative && base == 16 ? SB("0x") : SB(""), number, base, conversion == 'X');
}

/// One argument, by what stands behind its `%`; answers where the format goes on.
static const char *put_argument(sb_buffer *out, const char *at, va_list *arguments) {
    layout spec = {.precision = -1};
    size_t bytes;
    at = read_length(read_bounds(at, &spec, arguments), &bytes);
    bool is_long = bytes > sizeof(int);
    char byte = *at;
    switch (byte) {
    case 0: return at;
    case 'd':
    case 'i': put_signed(out, &spec, is_long ? va_arg(*arguments, int64_t) : va_arg(*arguments, int)); break;
    case 'u':
    case 'x':
    case 'X':
    case 'o': put_unsigned(out, &spec, is_long ? va_arg(*arguments, uint64_t) : va_arg(*arguments, unsigned), byte); break;
    case 'p': put_whole(out, &spec, SB("0x"), (uintptr_t)va_arg(*arguments, void *), 16, false); break;
    case 's': put_string(out, &spec, va_arg(*arguments, const char *)); break;
    case 'c':
        byte = (char)va_arg(*arguments, int);
        put(out, &spec, SB(""), (sb_text){&byte, 1}, false);
        break;
    case 'f':
    case 'F':
    case 'e':
    case 'E':
    case 'g':
    case 'G': put_double(out, &spec, va_arg(*arguments, double), byte); break;
    default: sb_buffer_fill(out, byte, 1); break;
    }
    return at + 1;
}

sb_text sb_format_list(const char *format, va_list arguments) {
    va_list left;
    va_copy(left, arguments);
    sb_buffer out = {0};
    const char *at = format;
    while (*at != 0) {
        const char *begin = at;
        while (*at != 0 && *at != '%') {
            at++;
        }
        sb_buffer_add(&out, (sb_text){begin, (size_t)(at - begin)});
        if (*at == '%') {
            at = put_argument(&out, at + 1, &left);
        }
    }
    va_end(left);
    return out.len == 0 ? (sb_text){"", 0} : (sb_text){out.data, out.len};
}

sb_text sb_format(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    sb_text text = sb_format_list(format, arguments);
    va_end(arguments);
    return text;
}

sb_text sb_number_text(double number) {
    if (number == 0 || !sb_is_finite(number)) {
        return sb_format("%g", number == 0 ? 0.0 : number);
    }
    sb_decimal decimal = sb_shortest(number < 0 ? -number : number);
    sb_buffer text = {0};
    if (number < 0) {
        sb_buffer_fill(&text, '-', 1);
    }
    if (decimal.point > -4 && decimal.point <= 17) {
        int places = decimal.count - decimal.point;
        put_fixed(&text, &decimal, places > 0 ? places : 0, false);
    } else {
        put_exponent(&text, &decimal, decimal.count - 1, false, false);
    }
    return (sb_text){text.data, text.len};
}
