/* SPDX-License-Identifier: Apache-2.0
 * sconce verify through the C API: replays NAME.io.pt on NAME.pt and compares the answers.
 * usage: c_verify ARCHIVE.pt...   Prints one line a failure; ends with "N passed, N failed".
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sconce/c.h"

typedef struct {
  const char* check; /* "close", "exact" or "meta" */
  double rtol, atol;
} tolerance;

static void must(sconce_status s, const char* what) {
  if (s == SCONCE_OK) return;
  fprintf(stderr, "%s: %s: %s\n", what, sconce_status_name(s), sconce_error_message());
  exit(2);
}

/* The entry of a dict, or NULL. */
static sconce_value* entry(const sconce_value* dict, const char* name) {
  sconce_value *key = NULL, *found = NULL;
  must(sconce_string_new(name, strlen(name), &key), "string");
  must(sconce_dict_find(dict, key, &found), name);
  sconce_value_free(key);
  return found;
}
static double number(const sconce_value* dict, const char* name, double fallback) {
  double x = fallback;
  int64_t i;
  sconce_value* v = entry(dict, name);
  if (v && sconce_value_double(v, &x) != SCONCE_OK && sconce_value_int(v, &i) == SCONCE_OK)
    x = (double)i;
  sconce_value_free(v);
  return x;
}
static size_t length(const sconce_value* v) {
  size_t n = 0;
  must(sconce_value_length(v, &n), "length");
  return n;
}
static sconce_value* item(const sconce_value* v, size_t i) {
  sconce_value* r = NULL;
  must(sconce_value_item(v, i, &r), "item");
  return r;
}

static int close_numbers(double a, double b, const tolerance* t) {
  if (isnan(a) || isnan(b)) return isnan(a) && isnan(b);
  if (isinf(a) || isinf(b)) return a == b;
  if (strcmp(t->check, "exact") == 0) return a == b;
  return fabs(a - b) <= t->atol + t->rtol * fabs(b);
}

/* As doubles: two for each complex element. Integers of 64 bits are compared by their bytes. */
static int same_elements(const sconce_value* a, const sconce_value* b, int32_t dtype,
                         const tolerance* t) {
  int64_t numel = 0;
  size_t bytes, n;
  int same = 1;
  int complex = dtype == SCONCE_COMPLEX64 || dtype == SCONCE_COMPLEX128 || dtype == 8;
  int whole = dtype <= SCONCE_INT64 || dtype == SCONCE_BOOL8 || dtype >= 27;
  sconce_value *x = NULL, *y = NULL;
  must(sconce_tensor_numel(a, &numel), "numel");
  must(sconce_tensor_to(a,
                        whole     ? -1
                        : complex ? SCONCE_COMPLEX128
                                  : SCONCE_FLOAT64,
                        "cpu", &x),
       "convert");
  must(sconce_tensor_to(b,
                        whole     ? -1
                        : complex ? SCONCE_COMPLEX128
                                  : SCONCE_FLOAT64,
                        "cpu", &y),
       "convert");
  n = (size_t)numel * (complex ? 2 : 1);
  if (whole) {
    static const size_t size[] = {1, 1, 2, 4, 8};
    bytes = (size_t)numel * (dtype <= SCONCE_INT64   ? size[dtype]
                             : dtype == SCONCE_BOOL8 ? 1
                                                     : (size_t)2 << (dtype - 27));
  } else {
    bytes = n * sizeof(double);
  }
  if (bytes) {
    void *p = malloc(bytes), *q = malloc(bytes);
    if (!p || !q) exit(2);
    must(sconce_tensor_copy_to(x, p, bytes), "copy");
    must(sconce_tensor_copy_to(y, q, bytes), "copy");
    if (whole) {
      same = memcmp(p, q, bytes) == 0;
    } else {
      const double *u = p, *v = q;
      for (size_t i = 0; i < n && same; ++i) same = close_numbers(u[i], v[i], t);
    }
    free(p), free(q);
  }
  sconce_value_free(x), sconce_value_free(y);
  return same;
}

static int same_tensors(const sconce_value* a, const sconce_value* b, const tolerance* t) {
  int32_t da = 0, db = 0;
  size_t na = 0, nb = 0;
  const int64_t *sa = NULL, *sb = NULL;
  if (sconce_tensor_dtype(a, &da) || sconce_tensor_dtype(b, &db)) return 0;
  must(sconce_tensor_dim(a, &na), "dim");
  must(sconce_tensor_dim(b, &nb), "dim");
  must(sconce_tensor_sizes(a, &sa), "sizes");
  must(sconce_tensor_sizes(b, &sb), "sizes");
  if (da != db || na != nb || (na && memcmp(sa, sb, na * sizeof *sa))) return 0;
  if (strcmp(t->check, "meta") == 0) return 1;
  if (da >= 12 && da <= 14) { /* quantised: what PyTorch prints of them */
    char *p = NULL, *q = NULL;
    int same;
    must(sconce_value_text(a, &p), "text");
    must(sconce_value_text(b, &q), "text");
    same = strcmp(p, q) == 0;
    sconce_string_free(p), sconce_string_free(q);
    return same;
  }
  return same_elements(a, b, da, t);
}

static int same_values(const sconce_value* a, const sconce_value* b, const tolerance* t);

static int same_items(const sconce_value* a, const sconce_value* b, const tolerance* t) {
  size_t n = length(a);
  int same = n == length(b);
  for (size_t i = 0; i < n && same; ++i) {
    sconce_value *x = item(a, i), *y = item(b, i);
    same = same_values(x, y, t);
    sconce_value_free(x), sconce_value_free(y);
  }
  return same;
}
static int same_dicts(const sconce_value* a, const sconce_value* b, const tolerance* t) {
  size_t n = length(a);
  int same = n == length(b);
  for (size_t i = 0; i < n && same; ++i) {
    sconce_value *key = NULL, *x = NULL, *y = NULL;
    must(sconce_dict_entry(a, i, &key, &x), "entry");
    must(sconce_dict_find(b, key, &y), "find");
    if (!y) { /* tensors as keys are compared in order */
      sconce_value* k = NULL;
      must(sconce_dict_entry(b, i, &k, &y), "entry");
      same = same_values(key, k, t);
      sconce_value_free(k);
    }
    same = same && same_values(x, y, t);
    sconce_value_free(key), sconce_value_free(x), sconce_value_free(y);
  }
  return same;
}
/* An object is recorded as {"__class__": name, attribute: value, ...}. */
static int same_object(const sconce_value* object, const sconce_value* dict, const tolerance* t) {
  size_t n = 0;
  int same = 1;
  must(sconce_object_num_attributes(object, &n), "attributes");
  for (size_t i = 0; i < n && same; ++i) {
    char* name = NULL;
    sconce_value *x = NULL, *y;
    must(sconce_object_attribute_name(object, i, &name), "attribute");
    y = entry(dict, name);
    if (y) {
      must(sconce_object_attribute(object, name, &x), "attribute");
      same = same_values(x, y, t);
    }
    sconce_string_free(name);
    sconce_value_free(x), sconce_value_free(y);
  }
  return same;
}

/* a: what came; b: what was recorded. */
static int same_values(const sconce_value* a, const sconce_value* b, const tolerance* t) {
  sconce_kind ka = sconce_value_kind(a), kb = sconce_value_kind(b);
  if (ka == SCONCE_ENUM) {
    sconce_value* x = NULL;
    int same;
    must(sconce_object_attribute(a, "value", &x), "enum");
    same = same_values(x, b, t);
    sconce_value_free(x);
    return same;
  }
  if (ka == SCONCE_OBJECT && kb == SCONCE_DICT) return same_object(a, b, t);
  if (ka != kb) return 0;
  switch (ka) {
    case SCONCE_TENSOR: return same_tensors(a, b, t);
    case SCONCE_LIST:
    case SCONCE_TUPLE: return same_items(a, b, t);
    case SCONCE_DICT: return same_dicts(a, b, t);
    case SCONCE_DOUBLE: {
      double x = 0, y = 0;
      must(sconce_value_double(a, &x), "double");
      must(sconce_value_double(b, &y), "double");
      return strcmp(t->check, "meta") == 0 || close_numbers(x, y, t);
    }
    case SCONCE_COMPLEX: {
      double x, y, u, v;
      must(sconce_value_complex(a, &x, &y), "complex");
      must(sconce_value_complex(b, &u, &v), "complex");
      return close_numbers(x, u, t) && close_numbers(y, v, t);
    }
    case SCONCE_NONE: return 1;
    default: return strcmp(t->check, "meta") == 0 || sconce_value_same(a, b);
  }
}

static char printed[1 << 16];
static size_t n_printed;
static void print(void* user, const char* text, size_t n) {
  (void)user;
  if (n > sizeof printed - n_printed) n = sizeof printed - n_printed;
  memcpy(printed + n_printed, text, n);
  n_printed += n;
}

/* 1: as recorded. */
static int run_case(sconce_module* m, const sconce_value* c, const char* path, size_t number_) {
  sconce_value *method = entry(c, "method"), *recorded = entry(c, "inputs"), *inputs = NULL;
  sconce_value* out_text = entry(c, "stdout");
  sconce_value *expected = entry(c, "output"), *raises = entry(c, "raises");
  sconce_value *after = entry(c, "inputs_after"), *seed = entry(c, "same_seed");
  sconce_value *check = entry(c, "check"), *answer = NULL;
  size_t n = length(recorded), n_text = 0;
  sconce_value** args = calloc(n + 1, sizeof *args);
  const char *name = NULL, *kind = "close", *text = NULL;
  tolerance t;
  int ok;
  sconce_status s;
  if (!args) exit(2);
  must(sconce_value_clone(recorded, &inputs), "clone");
  must(sconce_value_string(method, &name, NULL), "method");
  for (size_t i = 0; i < n; ++i) {
    sconce_value* given = item(inputs, i);
    if (sconce_method_convert_argument(m, strcmp(name, "__call__") ? name : "forward", i, given,
                                       &args[i]) != SCONCE_OK)
      args[i] = item(inputs, i); /* the call says what is wrong with it */
    sconce_value_free(given);
  }
  if (check) must(sconce_value_string(check, &kind, NULL), "check");
  t.check = kind;
  t.rtol = number(c, "rtol", 0);
  t.atol = number(c, "atol", 0);
  n_printed = 0;
  if (seed) must(sconce_manual_seed(0), "seed");
  s = sconce_module_call(m, name, args, n, NULL, &answer);
  if (raises)
    ok = s != SCONCE_OK && s != SCONCE_INVALID_ARGUMENT && sconce_error_message()[0] != 0;
  else
    ok = s == SCONCE_OK && (!expected || same_values(answer, expected, &t));
  for (size_t i = 0; ok && after && i < n; ++i) {
    sconce_value *x = item(after, i), *y = item(inputs, i);
    ok = same_values(y, x, &t);
    sconce_value_free(x), sconce_value_free(y);
  }
  if (ok && out_text) {
    must(sconce_value_string(out_text, &text, &n_text), "stdout");
    ok = n_text == n_printed && memcmp(text, printed, n_text) == 0;
  }
  if (!ok)
    printf("%s: case %zu (%s): %s\n", path, number_, name,
           s == SCONCE_OK ? "another answer" : sconce_error_message());
  for (size_t i = 0; i < n; ++i) sconce_value_free(args[i]);
  free(args);
  sconce_value_free(answer), sconce_value_free(method), sconce_value_free(inputs);
  sconce_value_free(recorded), sconce_value_free(out_text);
  sconce_value_free(expected), sconce_value_free(raises), sconce_value_free(after);
  sconce_value_free(seed), sconce_value_free(check);
  return ok;
}

int main(int argc, char** argv) {
  size_t passed = 0, failed = 0;
  for (int i = 1; i < argc; ++i) {
    sconce_load_options options = SCONCE_LOAD_OPTIONS_INIT;
    sconce_module* m = NULL;
    sconce_value *io = NULL, *cases;
    size_t n = strlen(argv[i]), stem = n > 3 ? n - 3 : 0;
    char* io_path = malloc(n + 8);
    if (!io_path) return 2;
    memcpy(io_path, argv[i], stem);
    strcpy(io_path + stem, ".io.pt");
    options.print = print;
    if (sconce_load(argv[i], &options, &m) != SCONCE_OK ||
        sconce_value_load(io_path, &io) != SCONCE_OK) {
      printf("%s: %s\n", argv[i], sconce_error_message());
      ++failed;
    } else {
      cases = entry(io, "cases");
      for (size_t k = 0; k < length(cases); ++k) {
        sconce_value* c = item(cases, k);
        *(run_case(m, c, argv[i], k) ? &passed : &failed) += 1;
        sconce_value_free(c);
      }
      sconce_value_free(cases);
    }
    sconce_value_free(io);
    sconce_module_free(m);
    free(io_path);
  }
  printf("%zu passed, %zu failed\n", passed, failed);
  return failed ? 1 : passed ? 0 : 2;
}
