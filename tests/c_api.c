/* SPDX-License-Identifier: Apache-2.0
 * What a C program does with the API beyond calls with recorded answers: errors, limits, options,
 * containers, borrowed memory, DLPack. usage: c_api FIXTURES
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sconce/c.h"

static int failures;
#define CHECK(x)                                                                  \
  do {                                                                            \
    if (!(x)) {                                                                   \
      printf("%s:%d: %s (%s)\n", __FILE__, __LINE__, #x, sconce_error_message()); \
      ++failures;                                                                 \
    }                                                                             \
  } while (0)
#define OK(call) CHECK((call) == SCONCE_OK)

static const char kSource[] =
    "def count(n: int) -> int:\n"
    "    i = 0\n"
    "    while i < n:\n"
    "        i += 1\n"
    "    return i\n"
    "def refuse(x: int) -> int:\n"
    "    if x > 2:\n"
    "        raise ValueError('too large')\n"
    "    return x\n"
    "def double(x: Tensor, times: int = 2) -> Tensor:\n"
    "    return x * times\n"
    "def several(x: Tensor) -> Tuple[Tensor, List[Tensor]]:\n"
    "    return x + 1, [x + 2, x + 3]\n"
    "def words(d: Dict[str, int], l: List[float]) -> Dict[str, float]:\n"
    "    r: Dict[str, float] = {}\n"
    "    for k, v in d.items():\n"
    "        r[k] = v + l[0]\n"
    "    return r\n"
    "def say(s: str) -> None:\n"
    "    print(s)\n";

static size_t allocated, released;
static int out_of_memory;
static void* allocate(void* user, size_t size, size_t alignment) {
  ++*(size_t*)user;
  return out_of_memory ? NULL
                       : aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
}
static void give_back(void* user, void* memory, size_t size) {
  (void)user, (void)size;
  ++released;
  free(memory);
}
/* Before all else: whose memory tensors have. */
static void allocators(void) {
  sconce_allocator a = {sizeof a, allocate, NULL, &allocated};
  sconce_value* v = NULL;
  const int64_t n = 3;
  CHECK(sconce_set_allocator(&a) == SCONCE_INVALID_ARGUMENT);
  CHECK(sconce_set_allocator(NULL) == SCONCE_INVALID_ARGUMENT);
  a.release = give_back;
  OK(sconce_set_allocator(&a));
  OK(sconce_tensor_new(SCONCE_FLOAT32, &n, 1, &v));
  CHECK(allocated == 1 && released == 0);
  sconce_value_free(v);
  CHECK(released == 1);
  out_of_memory = 1;
  CHECK(sconce_tensor_new(SCONCE_FLOAT32, &n, 1, &v) == SCONCE_OUT_OF_MEMORY);
  out_of_memory = 0;
  CHECK(sconce_set_allocator(&a) == SCONCE_INVALID_ARGUMENT); /* too late */
}

static void collect(void* user, const char* text, size_t n) { strncat(user, text, n); }

static sconce_value* integer(int64_t x) {
  sconce_value* v = NULL;
  OK(sconce_int_new(x, &v));
  return v;
}
static sconce_value* floats(const float* data, int64_t n) {
  sconce_value* v = NULL;
  OK(sconce_tensor_copy_from(data, SCONCE_FLOAT32, &n, 1, &v));
  return v;
}
static void read_floats(const sconce_value* v, float* to, size_t n) {
  OK(sconce_tensor_copy_to(v, to, n * sizeof *to));
}

static void errors(void) {
  sconce_module* m = NULL;
  sconce_value *three = integer(3), *out = NULL;
  CHECK(sconce_load("/nowhere/model.pt", NULL, &m) == SCONCE_FORMAT_ERROR);
  CHECK(m == NULL && strstr(sconce_error_message(), "/nowhere/model.pt"));
  CHECK(sconce_load(NULL, NULL, &m) == SCONCE_INVALID_ARGUMENT);
  CHECK(sconce_load_memory("no archive", 10, NULL, &m) == SCONCE_FORMAT_ERROR);
  CHECK(sconce_compile("def f(:", NULL, &m) == SCONCE_SCRIPT_ERROR);
  OK(sconce_compile(kSource, NULL, &m));
  CHECK(sconce_module_call(m, "refuse", &three, 1, NULL, &out) == SCONCE_RAISED);
  CHECK(out == NULL && strstr(sconce_error_message(), "too large"));
  CHECK(strstr(sconce_error_trace(), "Traceback") == sconce_error_trace());
  CHECK(strcmp(sconce_error_location(), "<source>:8") == 0);
  CHECK(strcmp(sconce_error_class(), "") == 0); /* this source names no class */
  CHECK(sconce_error_status() == SCONCE_RAISED);
  CHECK(sconce_module_call(m, "absent", NULL, 0, NULL, &out) == SCONCE_OTHER_ERROR);
  CHECK(sconce_module_call(m, "count", NULL, 0, NULL, &out) == SCONCE_OPERATOR_ERROR);
  CHECK(sconce_module_call(NULL, "count", NULL, 0, NULL, &out) == SCONCE_INVALID_ARGUMENT);
  CHECK(sconce_module_call(m, "count", NULL, 1, NULL, &out) == SCONCE_INVALID_ARGUMENT);
  CHECK(sconce_value_kind(NULL) == -1);
  CHECK(strcmp(sconce_status_name(SCONCE_RAISED), "SCONCE_RAISED") == 0);
  CHECK(strcmp(sconce_status_name(77), "unknown status") == 0);
  CHECK(sconce_api_level() == SCONCE_C_API_LEVEL && sconce_has_feature("no such thing") == 0);
  sconce_value_free(three);
  sconce_module_free(m);
  sconce_module_free(NULL);
  sconce_value_free(NULL);
}

static void limits(void) {
  sconce_module* m = NULL;
  sconce_value *many = integer(1000000), *few = integer(10), *out = NULL;
  sconce_limits l = SCONCE_LIMITS_INIT;
  sconce_call_options o = SCONCE_CALL_OPTIONS_INIT;
  sconce_cancel* cancel = NULL;
  int64_t n = 0;
  OK(sconce_compile(kSource, NULL, &m));
  l.steps = 1000;
  o.limits = &l;
  CHECK(sconce_module_call(m, "count", &many, 1, &o, &out) == SCONCE_LIMIT_EXCEEDED);
  OK(sconce_module_call(m, "count", &few, 1, &o, &out));
  OK(sconce_value_int(out, &n));
  CHECK(n == 10);
  sconce_value_free(out);
  l.steps = 0;
  OK(sconce_cancel_new(&cancel));
  sconce_cancel_set(cancel, 1);
  l.cancel = cancel;
  CHECK(sconce_module_call(m, "count", &many, 1, &o, &out) == SCONCE_LIMIT_EXCEEDED);
  sconce_cancel_free(cancel);
  OK(sconce_limits_untrusted(&l));
  CHECK(l.memory > 0 && l.seconds > 0 && l.steps > 0);
  l.size = 3;
  CHECK(sconce_limits_untrusted(&l) == SCONCE_INVALID_ARGUMENT);
  /* An older program's struct, that ends before what is newer. */
  l.size = offsetof(sconce_limits, seconds);
  l.cancel = NULL, l.steps = 1000, l.seconds = 1e-9;
  CHECK(sconce_module_call(m, "count", &many, 1, &o, &out) == SCONCE_LIMIT_EXCEEDED);
  CHECK(strstr(sconce_error_message(), "steps") != NULL);
  sconce_value_free(many), sconce_value_free(few);
  sconce_module_free(m);
}

static void containers(void) {
  sconce_load_options lo = SCONCE_LOAD_OPTIONS_INIT;
  sconce_module* m = NULL;
  sconce_value *key = NULL, *one = integer(1), *dict = NULL, *half = NULL, *list = NULL;
  sconce_value *out = NULL, *found = NULL, *text = NULL;
  sconce_value* args[2];
  char said[64] = "", *s = NULL;
  double x = 0;
  size_t n = 0;
  int32_t has = 0;
  lo.print = collect, lo.print_user = said;
  OK(sconce_compile(kSource, &lo, &m));
  OK(sconce_string_new("a", 1, &key));
  OK(sconce_dict_new("str", "int", &key, &one, 1, &dict));
  OK(sconce_double_new(0.5, &half));
  OK(sconce_list_new("float", &half, 1, &list));
  args[0] = dict, args[1] = list;
  OK(sconce_module_call(m, "words", args, 2, NULL, &out));
  OK(sconce_dict_find(out, key, &found));
  OK(sconce_value_double(found, &x));
  CHECK(x == 1.5);
  sconce_value_free(found);
  OK(sconce_dict_find(out, one, &found));
  CHECK(found == NULL);
  OK(sconce_value_type(out, &s));
  CHECK(strcmp(s, "Dict[str, float]") == 0);
  sconce_string_free(s);
  sconce_value_free(out);
  CHECK(sconce_list_append(list, one) != SCONCE_OK); /* an int among floats */
  OK(sconce_value_length(list, &n));
  CHECK(n == 1);
  OK(sconce_list_append(list, half));
  OK(sconce_value_text(list, &s));
  CHECK(strcmp(s, "[0.5, 0.5]") == 0);
  sconce_string_free(s);
  CHECK(sconce_value_item(list, 2, &out) == SCONCE_INVALID_ARGUMENT);
  CHECK(sconce_list_new("no type", NULL, 0, &out) == SCONCE_INVALID_ARGUMENT);
  OK(sconce_string_new("h\0i", 3, &text));
  OK(sconce_module_call(m, "say", &text, 1, NULL, &out));
  CHECK(sconce_value_kind(out) == SCONCE_NONE);
  CHECK(strcmp(said, "h\n") == 0); /* collect() stops at a NUL */
  sconce_value_free(out);
  OK(sconce_method_schema(m, "double", &s));
  CHECK(strcmp(s, "double(Tensor x, int times=2) -> Tensor") == 0);
  sconce_string_free(s);
  OK(sconce_method_argument(m, "double", 1, &s, NULL, &has));
  CHECK(strcmp(s, "times") == 0 && has);
  sconce_string_free(s);
  OK(sconce_method_return_type(m, "several", &s));
  CHECK(strcmp(s, "Tuple[Tensor, List[Tensor]]") == 0);
  sconce_string_free(s);
  OK(sconce_module_num_methods(m, &n));
  CHECK(n == 6);
  sconce_value_free(key), sconce_value_free(one), sconce_value_free(dict), sconce_value_free(half);
  sconce_value_free(list), sconce_value_free(text);
  sconce_module_free(m);
}

static int deleted;
static void note_deleted(void* user) { deleted += *(int*)user; }

static void tensors(void) {
  sconce_module* m = NULL;
  float data[6] = {1, 2, 3, 4, 5, 6}, got[6];
  const int64_t sizes[2] = {3, 2}, strides[2] = {1, 3}, two = 2, huge[2] = {INT64_MAX, 4};
  int one = 1;
  sconce_value *t = NULL, *out = NULL, *outputs[3] = {NULL, NULL, NULL}, *x;
  sconce_call_options o = SCONCE_CALL_OPTIONS_INIT;
  const char* names[1] = {"times"};
  sconce_value* values[1];
  void* p = NULL;
  struct DLManagedTensor* dl = NULL;
  OK(sconce_compile(kSource, NULL, &m));
  OK(sconce_tensor_borrow(data, SCONCE_FLOAT32, sizes, strides, 2, note_deleted, &one, &t));
  OK(sconce_module_call(m, "double", &t, 1, NULL, &out));
  read_floats(out, got, 6);
  CHECK(got[0] == 2 && got[1] == 8 && got[5] == 12);
  sconce_value_free(out);
  values[0] = integer(10);
  o.kwarg_names = names, o.kwarg_values = values, o.num_kwargs = 1;
  OK(sconce_module_call(m, "double", &t, 1, &o, &out));
  read_floats(out, got, 6);
  CHECK(got[0] == 10);
  sconce_value_free(values[0]), sconce_value_free(out);
  CHECK(deleted == 0);
  OK(sconce_tensor_to_dlpack(t, &dl));
  sconce_value_free(t);
  CHECK(deleted == 0);
  OK(sconce_tensor_from_dlpack(dl, &t));
  OK(sconce_tensor_mutable_data(t, &p));
  CHECK(p == data);
  sconce_value_free(t);
  CHECK(deleted == 1);
  CHECK(sconce_tensor_borrow(data, SCONCE_FLOAT32, huge, NULL, 2, note_deleted, &one, &t) !=
        SCONCE_OK);
  CHECK(sconce_tensor_borrow(NULL, SCONCE_FLOAT32, sizes, NULL, 2, note_deleted, &one, &t) ==
        SCONCE_INVALID_ARGUMENT);
  CHECK(deleted == 1);
  CHECK(sconce_tensor_new(99, sizes, 2, &t) == SCONCE_INVALID_ARGUMENT);
  x = floats(data, 2);
  CHECK(sconce_tensor_copy_to(x, got, 4) == SCONCE_INVALID_ARGUMENT);
  /* Answers into the caller's own memory. */
  for (int i = 0; i < 3; ++i)
    OK(sconce_tensor_borrow(got + 2 * i, SCONCE_FLOAT32, &two, NULL, 1, NULL, NULL, &outputs[i]));
  memset(&o, 0, sizeof o);
  o.size = sizeof o, o.outputs = outputs, o.num_outputs = 3;
  OK(sconce_module_call(m, "several", &x, 1, &o, NULL));
  CHECK(got[0] == 2 && got[2] == 3 && got[4] == 4 && got[5] == 5);
  o.num_outputs = 2;
  CHECK(sconce_module_call(m, "several", &x, 1, &o, NULL) == SCONCE_INVALID_ARGUMENT);
  for (int i = 0; i < 3; ++i) sconce_value_free(outputs[i]);
  sconce_value_free(x);
  sconce_module_free(m);
}

typedef struct {
  FILE* file;
  size_t most;
} reader;
static int64_t read_part(void* user, void* to, size_t n) {
  reader* r = user;
  return (int64_t)fread(to, 1, n < r->most ? n : r->most, r->file);
}
static int64_t read_badly(void* user, void* to, size_t n) {
  (void)user, (void)to, (void)n;
  return -1;
}

static void modules(const char* fixtures) {
  char path[512];
  reader r = {NULL, 1000};
  sconce_module *m = NULL, *copy = NULL;
  sconce_value *state = NULL, *weight = NULL, *key = NULL, *name_ = NULL;
  const char* name = NULL;
  int32_t is = 1;
  size_t n = 0;
  char* s = NULL;
  snprintf(path, sizeof path, "%s/small_cnn.pt", fixtures);
  r.file = fopen(path, "rb");
  CHECK(r.file != NULL);
  if (!r.file) return;
  OK(sconce_load_callback(read_part, &r, NULL, &m));
  fclose(r.file);
  CHECK(sconce_load_callback(read_badly, NULL, NULL, &copy) == SCONCE_FORMAT_ERROR);
  OK(sconce_module_train(m, 0));
  OK(sconce_module_is_training(m, &is));
  CHECK(is == 0);
  OK(sconce_module_clone(m, &copy));
  OK(sconce_module_state(m, 0, &state));
  OK(sconce_value_length(state, &n));
  CHECK(n > 0);
  OK(sconce_dict_entry(state, 0, &key, &weight));
  OK(sconce_value_string(key, &name, NULL));
  OK(sconce_module_has_attribute(m, name, &is));
  CHECK(is == 1);
  sconce_value_free(weight);
  OK(sconce_module_attribute(m, name, &weight));
  CHECK(sconce_value_kind(weight) == SCONCE_TENSOR);
  OK(sconce_string_new("x", 1, &name_));
  CHECK(sconce_module_set_attribute(m, name, name_) == SCONCE_OPERATOR_ERROR);
  OK(sconce_module_set_attribute(m, name, weight));
  OK(sconce_module_has_attribute(m, "no.such", &is));
  CHECK(is == 0);
  OK(sconce_module_load_state(copy, state, 1));
  OK(sconce_method_graph(m, "forward", "inline,dce", &s));
  CHECK(strstr(s, "graph(%self") == s);
  sconce_string_free(s);
  CHECK(sconce_method_graph(m, "forward", "no_such_pass", &s) != SCONCE_OK);
  sconce_value_free(state), sconce_value_free(weight), sconce_value_free(key);
  sconce_value_free(name_);
  sconce_module_free(copy);
  sconce_module_free(m);
}

/* The interpreter's bits, asked for; not by a program of the time when the struct had no such
 * member. */
static void numerics(const char* fixtures) {
  enum { kInput = 3 * 32 * 32, kOutput = 10 };
  const int64_t sizes[] = {1, 3, 32, 32};
  sconce_load_options options[] = {SCONCE_LOAD_OPTIONS_INIT, SCONCE_LOAD_OPTIONS_INIT,
                                   SCONCE_LOAD_OPTIONS_INIT};
  static float in[kInput];
  float out[3][kOutput];
  char path[512];
  sconce_value *x = NULL, *y = NULL;
  sconce_module* m = NULL;
  size_t i = 0;
  for (i = 0; i < kInput; ++i) in[i] = (float)(i * 7919 % 1000) / 500.0f - 1.0f;
  OK(sconce_tensor_copy_from(in, SCONCE_FLOAT32, sizes, 4, &x));
  snprintf(path, sizeof path, "%s/small_cnn.pt", fixtures);
  options[0].interpret = 1;
  options[1].strict_numerics = 1;
  options[2].strict_numerics = 1;
  options[2].size = offsetof(sconce_load_options, strict_numerics);
  for (i = 0; i < 3; ++i) {
    OK(sconce_load(path, &options[i], &m));
    OK(sconce_module_call(m, "forward", &x, 1, NULL, &y));
    read_floats(y, out[i], kOutput);
    sconce_value_free(y);
    sconce_module_free(m);
  }
  CHECK(memcmp(out[0], out[1], sizeof out[0]) == 0);
  CHECK(memcmp(out[0], out[2], sizeof out[0]) != 0);
  sconce_value_free(x);
}

typedef struct {
  char bytes[1 << 17];
  size_t size, most;
} writer;
static int32_t write_part(void* user, const void* data, size_t n) {
  writer* w = user;
  if (n > w->most - w->size) return 1;
  memcpy(w->bytes + w->size, data, n);
  w->size += n;
  return 0;
}
static void take_extra(void* user, const char* name, const void* data, size_t n) {
  CHECK(strcmp(name, "notes.txt") == 0);
  strncat(user, data, n);
}

static void saving(void) {
  static writer w;
  static const char source[] =
      "def twice(x: Tensor) -> Tensor:\n"
      "    return x * 2\n";
  const char *names[2] = {"notes.txt", "absent.txt"}, *path = "sconce_c_api_saved.pt";
  const void* data[1] = {"kept"};
  const size_t sizes[1] = {4};
  const float two = 2;
  float got = 0;
  char notes[16] = "";
  sconce_save_options so = SCONCE_SAVE_OPTIONS_INIT;
  sconce_load_options lo = SCONCE_LOAD_OPTIONS_INIT;
  sconce_module *m = NULL, *again = NULL;
  sconce_value *x = floats(&two, 1), *y = NULL;
  CHECK(sconce_has_feature("save") == 1);
  OK(sconce_compile(source, NULL, &m));
  so.extra_names = names, so.extra_data = data, so.extra_sizes = sizes, so.num_extra = 1;
  w.most = 100;
  CHECK(sconce_module_save_callback(m, write_part, &w, &so) == SCONCE_OTHER_ERROR);
  w.size = 0, w.most = sizeof w.bytes;
  OK(sconce_module_save_callback(m, write_part, &w, &so));
  lo.extra_names = names, lo.num_extra = 2;
  CHECK(sconce_load_memory(w.bytes, w.size, &lo, &again) == SCONCE_INVALID_ARGUMENT);
  lo.extra = take_extra, lo.extra_user = notes;
  OK(sconce_load_memory(w.bytes, w.size, &lo, &again));
  CHECK(strcmp(notes, "kept") == 0);
  OK(sconce_module_call(again, "twice", &x, 1, NULL, &y));
  read_floats(y, &got, 1);
  CHECK(got == 4);
  sconce_value_free(y);
  sconce_module_free(again);
  OK(sconce_module_save(m, path, NULL));
  OK(sconce_load(path, NULL, &again));
  sconce_module_free(again);
  remove(path);
  CHECK(sconce_module_save(m, "/nowhere/model.pt", NULL) == SCONCE_OTHER_ERROR);
  so.file_version = 1;
  CHECK(sconce_module_save(m, path, &so) != SCONCE_OK);
  so.size = 1;
  CHECK(sconce_module_save(m, path, &so) == SCONCE_INVALID_ARGUMENT);
  CHECK(sconce_module_save_callback(m, NULL, NULL, NULL) == SCONCE_INVALID_ARGUMENT);
  sconce_value_free(x);
  sconce_module_free(m);
}

/* A file of which weights are read when they are needed, unless all is read at once or mapped. */
static void large_files(const char* fixtures) {
  const char* path = "sconce_c_api_large.pt";
  const int64_t sizes[2] = {4200, 2048};
  sconce_load_options options[4] = {SCONCE_LOAD_OPTIONS_INIT, SCONCE_LOAD_OPTIONS_INIT,
                                    SCONCE_LOAD_OPTIONS_INIT, SCONCE_LOAD_OPTIONS_INIT};
  sconce_module *m = NULL, *loaded[4] = {NULL, NULL, NULL, NULL};
  sconce_value *w = NULL, *y = NULL;
  void* bytes = NULL;
  char name[4096];
  FILE* f = NULL;
  double got = 0;
  int i = 0;
  snprintf(name, sizeof name, "%s/state.pt", fixtures);
  OK(sconce_load(name, NULL, &m));
  OK(sconce_tensor_new(SCONCE_FLOAT32, sizes, 2, &w));
  OK(sconce_tensor_mutable_data(w, &bytes));
  memset(bytes, 0, (size_t)(sizes[0] * sizes[1]) * sizeof(float));
  OK(sconce_module_set_attribute(m, "w", w));
  OK(sconce_module_define(m, "def most(self) -> float:\n  return float(self.w.max().item())\n"));
  OK(sconce_module_save(m, path, NULL));
  options[1].read_all = 1;
  options[2].map_file = 1;
  /* A program of the time when the struct ended before read_all. */
  options[3].size = offsetof(sconce_load_options, read_all);
  options[3].read_all = 1;
  for (i = 0; i < 4; ++i) OK(sconce_load(path, &options[i], &loaded[i]));
  f = fopen(path, "r+b");
  CHECK(f && fseek(f, 17 << 20, SEEK_SET) == 0 && fwrite("????", 1, 4, f) == 4 && fclose(f) == 0);
  for (i = 0; i < 4; i += 3) {
    CHECK(sconce_module_call(loaded[i], "most", NULL, 0, NULL, &y) == SCONCE_FORMAT_ERROR);
    CHECK(strstr(sconce_error_message(), "was written") != NULL);
  }
  for (i = 1; i < 3; ++i) {
    OK(sconce_module_call(loaded[i], "most", NULL, 0, NULL, &y));
    OK(sconce_value_double(y, &got));
    CHECK((got == 0) == (i == 1)); /* what is mapped is what was written */
    sconce_value_free(y);
  }
  for (i = 0; i < 4; ++i) sconce_module_free(loaded[i]);
  remove(path);
  sconce_value_free(w);
  sconce_module_free(m);
}

static void objects(void) {
  static const char source[] =
      "class Pair:\n"
      "    a : int\n"
      "    def __init__(self, a: int) -> None:\n"
      "        self.a = a\n"
      "def pair(a: int) -> Pair:\n"
      "    return Pair(a)\n"
      "def get(p: Pair) -> int:\n"
      "    return p.a\n"
      "def one(x: int) -> int:\n"
      "    return x + 1\n"
      "def later(x: int) -> Future[int]:\n"
      "    return fork(one, x)\n";
  sconce_module* m = NULL;
  sconce_value *three = integer(3), *five = integer(5), *p = NULL, *out = NULL, *g = NULL;
  int64_t n = 0;
  OK(sconce_compile(source, NULL, &m));
  OK(sconce_module_call(m, "pair", &three, 1, NULL, &p));
  CHECK(sconce_value_kind(p) == SCONCE_OBJECT);
  OK(sconce_object_set_attribute(p, "a", five));
  CHECK(sconce_object_set_attribute(p, "a", p) == SCONCE_OPERATOR_ERROR);
  CHECK(sconce_object_set_attribute(three, "a", p) == SCONCE_INVALID_ARGUMENT);
  OK(sconce_module_call(m, "get", &p, 1, NULL, &out));
  OK(sconce_value_int(out, &n));
  CHECK(n == 5);
  sconce_value_free(out);
  sconce_value_free(p);
  OK(sconce_module_call(m, "later", &three, 1, NULL, &p));
  CHECK(sconce_value_kind(p) == SCONCE_FUTURE);
  OK(sconce_future_wait(p, &out));
  OK(sconce_value_int(out, &n));
  CHECK(n == 4);
  CHECK(sconce_future_wait(three, &g) == SCONCE_INVALID_ARGUMENT);
  OK(sconce_generator_new(7, &g));
  CHECK(sconce_value_kind(g) == SCONCE_GENERATOR);
  sconce_value_free(g), sconce_value_free(out), sconce_value_free(p);
  sconce_value_free(three), sconce_value_free(five);
  sconce_module_free(m);
}

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  allocators();
  errors();
  limits();
  containers();
  tensors();
  modules(argv[1]);
  numerics(argv[1]);
  saving();
  large_files(argv[1]);
  objects();
  printf("%d failures\n", failures);
  return failures ? 1 : 0;
}
