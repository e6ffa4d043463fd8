/// Numbers as text and back, without a C library.
///
/// A power of ten has no exact `double`, so numbers are scaled as the sum of two of them (106 bits). That gives all 17 digits that a double
/// has, and the nearest double for every text but for ties beyond the 30th digit and for what is below 1e-290, which may be off by the
/// last bit.
#include "internal.h"

typedef struct {
    double high;
    double low;
} pair;

/// Ten to the power of 1, 2, 4, ... 256.
static const pair TENS[] = {
    {1e1, 0},
    {1e2, 0},
    {1e4, 0},
    {1e8, 0},
    {1e16, 0},
    {0x1.3b8b5b5056e17p+106, -0x1.3107fp+52},
    {0x1.84f03e93ff9f5p+212, -0x1.2ac340948e389p+157},
    {0x1.27748f9301d32p+425, -0x1.901cc86649e4ap+371},
    {0x1.54fdd7f73bf3cp+850, -0x1.7222446fe4670p+795},
};
#define POWERS ((int)(sizeof(TENS) / sizeof(TENS[0])))
/// Beyond it nothing is left of a number, or nothing holds it.
#define EXPONENT_MAX 400
/// Digits that a 64-bit number surely holds.
#define DIGITS_MAX 19
/// Significant digits of a double.
#define PRECISION 17

/// A sum whose first part is the nearest double.
static pair normal(double high, double low) {
    double sum = high + low;
    return (pair){sum, low - (sum - high)};
}

/// The product of two doubles without an error.
static pair product(double one, double other) {
    const double splitter = 0x1p27 + 1;
    double scaled_one = one * splitter, scaled_other = other * splitter;
    double one_high = scaled_one - (scaled_one - one), other_high = scaled_other - (scaled_other - other);
    double one_low = one - one_high, other_low = other - other_high;
    double high = one * other;
    return (pair){high, ((one_high * other_high - high) + one_high * other_low + one_low * other_high) + one_low * other_low};
}

static pair times(pair one, pair other) {
    pair exact = product(one.high, other.high);
    return normal(exact.high, exact.low + (one.high * other.low + one.low * other.high));
}

static pair divided(pair one, pair other) {
    double quotient = one.high / other.high;
    pair back = product(quotient, other.high);
    double rest = ((one.high - back.high) - back.low) + one.low - quotient * other.low;
    return normal(quotient, rest / other.high);
}

/// `number` times ten to the power of `exponent`.
static pair scaled(pair number, int exponent) {
    int left = exponent < 0 ? -exponent : exponent;
    for (int power = POWERS - 1; power >= 0; power--) {
        if (left >= 1 << power) {
            left -= 1 << power;
            number = exponent < 0 ? divided(number, TENS[power]) : times(number, TENS[power]);
        }
    }
    return number;
}

/// The nearest whole number; of two that are as near the even one. Below 2^63.
static uint64_t nearest(pair number) {
    uint64_t whole = (uint64_t)number.high;
    double above_half;
    if (number.high < 0x1p53) {
        above_half = (number.high - (double)whole) - 0.5 + number.low;
    } else {
        // `high` is whole, and `low` has the rest of it.
        int64_t more = (int64_t)number.low;
        more -= number.low < (double)more;
        whole += (uint64_t)more;
        above_half = (number.low - (double)more) - 0.5;
    }
    return above_half > 0 || (above_half == 0 && (whole & 1) != 0) ? whole + 1 : whole;
}

/// The power of ten that the number is not below, or one less.
static int exponent_of(double number) {
    union {
        double number;
        uint64_t bits;
    } view = {number};
    int binary = (int)(view.bits >> 52 & 0x7ff) - 1023;
    // log10(2) from below.
    return binary < 0 ? -((-binary * 30103 + 99999) / 100000) : binary * 30102 / 100000;
}

/// `number` divided by ten to the power of `places`, as digits.
static sb_decimal written(uint64_t number, int places) {
    sb_decimal decimal = {.count = 0};
    char reversed[sizeof(decimal.digits)];
    int count = 0;
    for (; number > 0; number /= 10) {
        reversed[count++] = (char)('0' + number % 10);
    }
    for (int at = 0; at < count; at++) {
        decimal.digits[at] = reversed[count - 1 - at];
    }
    decimal.count = count;
    decimal.point = count - places;
    return decimal;
}

static uint64_t ten_to(int exponent) {
    uint64_t power = 1;
    while (exponent-- > 0) {
        power *= 10;
    }
    return power;
}

sb_decimal sb_significant(double number, int count) {
    int places = count - 1 - exponent_of(number);
    uint64_t digits = nearest(scaled((pair){number, 0}, places));
    // The estimate was too small, or the digits were rounded up to the next power of ten.
    while (digits >= ten_to(count)) {
        places--;
        digits = nearest(scaled((pair){number, 0}, places));
    }
    return written(digits, places);
}

sb_decimal sb_rounded(double number, int places) {
    if (exponent_of(number) + 1 + places > PRECISION) {
        return sb_significant(number, PRECISION);
    }
    return written(nearest(scaled((pair){number, 0}, places)), places);
}

/// The nearest double to `digits` times ten to the power of `exponent`; infinite where there is none.
static double from_decimal(uint64_t digits, int exponent) {
    if (digits == 0 || exponent < -EXPONENT_MAX) {
        return 0;
    }
    if (exponent > EXPONENT_MAX) {
        exponent = EXPONENT_MAX;
    }
    // Away from the end that the number is brought near to, so that the parts of the products stay what they are.
    double aside = exponent < 0 ? 0x1p200 : 0x1p-200, back = exponent < 0 ? 0x1p-200 : 0x1p200;
    double high = (double)digits;
    double low = high < 0x1p63 ? (double)((int64_t)digits - (int64_t)high) : (double)(int64_t)(digits - (uint64_t)high);
    pair number = scaled((pair){high * aside, low * aside}, exponent);
    if (!(number.high < 0x1p1023 * 0x1p-199)) {
        return 0x1p1023 * 2;
    }
    return number.high * back;
}

static uint64_t value_of(const sb_decimal *decimal) {
    uint64_t value = 0;
    for (int at = 0; at < decimal->count; at++) {
        value = value * 10 + (uint64_t)(decimal->digits[at] - '0');
    }
    return value;
}

sb_decimal sb_shortest(double number) {
    sb_decimal decimal = {.count = 0};
    for (int count = PRECISION - 2; count <= PRECISION; count++) {
        decimal = sb_significant(number, count);
        if (from_decimal(value_of(&decimal), decimal.point - decimal.count) == number) {
            break;
        }
    }
    while (decimal.count > 1 && decimal.digits[decimal.count - 1] == '0') {
        decimal.count--;
    }
    return decimal;
}

/// Reads `[0-9]*`, as many digits as have room; those that have none count for the exponent.
static size_t read_digits(sb_text text, size_t at, uint64_t *digits, int *count, int *exponent, bool behind_point) {
    for (; at < text.len && sb_is_digit(text.data[at]); at++) {
        bool has_room = *count < DIGITS_MAX;
        if (has_room) {
            *digits = *digits * 10 + (uint64_t)(text.data[at] - '0');
            *count += *digits > 0;
        }
        if (has_room == behind_point && *exponent > -(1 << 20) && *exponent < 1 << 20) {
            *exponent += behind_point ? -1 : 1;
        }
    }
    return at;
}

static bool read_exponent(sb_text text, size_t at, int *exponent) {
    bool is_negative = false;
    if (at < text.len && (text.data[at] == '+' || text.data[at] == '-')) {
        is_negative = text.data[at++] == '-';
    }
    int power = 0;
    size_t begin = at;
    for (; at < text.len && sb_is_digit(text.data[at]); at++) {
        power = power < 1 << 20 ? power * 10 + (text.data[at] - '0') : power;
    }
    *exponent += is_negative ? -power : power;
    return at > begin && at == text.len;
}

bool sb_to_number(sb_text text, double *number) {
    text = sb_trim(text);
    size_t at = 0;
    bool is_negative = false;
    if (at < text.len && (text.data[at] == '+' || text.data[at] == '-')) {
        is_negative = text.data[at++] == '-';
    }
    uint64_t digits = 0;
    int count = 0, exponent = 0;
    size_t begin = at;
    at = read_digits(text, at, &digits, &count, &exponent, false);
    size_t whole = at - begin, fraction = 0;
    if (at < text.len && text.data[at] == '.') {
        begin = at + 1;
        at = read_digits(text, begin, &digits, &count, &exponent, true);
        fraction = at - begin;
    }
    if (whole + fraction == 0) {
        return false;
    }
    if (at < text.len && (text.data[at] == 'e' || text.data[at] == 'E')) {
        if (!read_exponent(text, at + 1, &exponent)) {
            return false;
        }
    } else if (at != text.len) {
        return false;
    }
    double size = from_decimal(digits, exponent);
    if (!sb_is_finite(size)) {
        return false;
    }
    *number = is_negative ? -size : size;
    return true;
}

bool sb_to_int(sb_text text, int64_t *number) {
    text = sb_trim(text);
    bool is_negative = text.len > 0 && text.data[0] == '-';
    size_t at = is_negative || (text.len > 0 && text.data[0] == '+') ? 1 : 0;
    uint64_t bound = is_negative ? (uint64_t)1 << 63 : INT64_MAX;
    uint64_t size = 0;
    if (at == text.len) {
        return false;
    }
    for (; at < text.len; at++) {
        if (!sb_is_digit(text.data[at])) {
            return false;
        }
        uint64_t digit = (uint64_t)(text.data[at] - '0');
        if (size > (bound - digit) / 10) {
            return false;
        }
        size = size * 10 + digit;
    }
    *number = is_negative ? (int64_t)(0 - size) : (int64_t)size;
    return true;
}
