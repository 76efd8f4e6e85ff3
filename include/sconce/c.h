/* SPDX-License-Identifier: Apache-2.0
 * The C API: load a TorchScript archive, call its methods, look at its answers.
 *
 * Handles are opaque and made and freed in pairs: what a function gives through an out parameter is
 * the caller's to free. Freeing NULL does nothing. A value handle refers to a value; several
 * handles may refer to one (sconce_value_retain), and a list seen through two is the same list.
 *
 * Every function that can fail returns a status, SCONCE_OK (0) or what went wrong; then the out
 * parameters are untouched, and sconce_error_message() tells the story until the same thread's next
 * call that fails. No exception and no signal crosses this API; a NULL where a handle is needed is
 * SCONCE_INVALID_ARGUMENT.
 *
 * Options are structs whose first member is their size. Fill them with zeros, or with the _INIT
 * macro, then set what you need: zero always means the default, and a program that was compiled
 * with an older header works with a newer library.
 *
 * A module may be called from many threads at once. What changes a module (set_attribute, train,
 * to_device, to_dtype, define) needs it alone. Different handles may be used from different
 * threads; one handle by one thread at a time.
 */
#ifndef SCONCE_C_H
#define SCONCE_C_H

#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32)
#define SCONCE_C_API
#else
#define SCONCE_C_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Version and features ---- */

/* The library's version, "0.1.0". */
SCONCE_C_API const char* sconce_version(void);
/* Rises when a function or a member is added to this header; nothing is ever taken away within
 * one number of the shared library's name. */
#define SCONCE_C_API_LEVEL 5
SCONCE_C_API int32_t sconce_api_level(void);
/* 1 or 0. "cuda": a CUDA device can be used now; "save": modules can be written; "lapack": linear
 * algebra can be used now. An unknown name is 0. */
SCONCE_C_API int32_t sconce_has_feature(const char* name);

/* ---- Errors ---- */

typedef int32_t sconce_status;
enum {
  SCONCE_OK = 0,
  SCONCE_INVALID_ARGUMENT = 1, /* of a function of this header */
  SCONCE_FORMAT_ERROR = 2,     /* the file is broken */
  SCONCE_SCRIPT_ERROR = 3,     /* its code is refused */
  SCONCE_MISSING_OPERATOR = 4, /* an operator that sconce lacks was reached */
  SCONCE_OPERATOR_ERROR = 5,   /* an operator or a method refuses its arguments */
  SCONCE_RAISED = 6,           /* the model's own raise or assert */
  SCONCE_LIMIT_EXCEEDED = 7,   /* of sconce_limits, a cancelled call too */
  SCONCE_POLICY_REFUSED = 8,   /* allowed_ops, denied_ops, refuse_setstate */
  SCONCE_OUT_OF_MEMORY = 9,
  SCONCE_OTHER_ERROR = 10
};

/* Of this thread's last call that failed. Never NULL; valid until the thread's next failure.
 * _message: a sentence, with the TorchScript trace where there is one. _trace: only the trace.
 * _location: the innermost line of the model's Python, "model.py:12"; _class: of SCONCE_RAISED, the
 * Python class such as "builtins.ValueError"; both empty where not known. */
SCONCE_C_API sconce_status sconce_error_status(void);
SCONCE_C_API const char* sconce_error_message(void);
SCONCE_C_API const char* sconce_error_trace(void);
SCONCE_C_API const char* sconce_error_location(void);
SCONCE_C_API const char* sconce_error_class(void);
/* The name of a status, "SCONCE_RAISED". */
SCONCE_C_API const char* sconce_status_name(sconce_status status);

/* Text that a function gives. Ends with a NUL. */
SCONCE_C_API void sconce_string_free(char* text);

/* ---- Memory ---- */

/* Where the CPU's memory of tensors comes from: any thread may call these at any time. allocate
 * gives size bytes at a multiple of alignment, or NULL when there are none (SCONCE_OUT_OF_MEMORY
 * then); release takes them back. */
typedef struct sconce_allocator {
  size_t size;
  void* (*allocate)(void* user, size_t size, size_t alignment);
  void (*release)(void* user, void* memory, size_t size);
  void* user;
} sconce_allocator;
/* For the whole process and until it ends. SCONCE_INVALID_ARGUMENT once a tensor was made: call it
 * before anything else. */
SCONCE_C_API sconce_status sconce_set_allocator(const sconce_allocator* allocator);

/* ---- Handles ---- */

typedef struct sconce_module sconce_module;
typedef struct sconce_value sconce_value;
typedef struct sconce_cancel sconce_cancel;

/* ---- Limits ---- */

/* Set from any thread, it ends what runs under the limits that name it, with
 * SCONCE_LIMIT_EXCEEDED. It may be freed when no call uses it any more. */
SCONCE_C_API sconce_status sconce_cancel_new(sconce_cancel** out);
SCONCE_C_API void sconce_cancel_set(sconce_cancel* cancel, int32_t on);
SCONCE_C_API void sconce_cancel_free(sconce_cancel* cancel);

/* What loading or a call may take; 0 anywhere is no limit (sconce/limits.h has the details). */
typedef struct sconce_limits {
  size_t size;
  uint64_t memory; /* bytes */
  uint64_t steps;
  uint64_t operator_work;
  uint64_t depth;
  double seconds;
  sconce_cancel* cancel;
  int32_t exclusive; /* calls of the module run one after another */
} sconce_limits;
#define SCONCE_LIMITS_INIT \
  { sizeof(sconce_limits), 0, 0, 0, 0, 0.0, NULL, 0 }
/* Those for files of unknown origin. limits->size must be set; cancel is left as it is. */
SCONCE_C_API sconce_status sconce_limits_untrusted(sconce_limits* limits);

/* ---- Modules ---- */

/* text is not NUL-terminated. */
typedef void (*sconce_text_callback)(void* user, const char* text, size_t length);

/* A record that the archive has under extra/; data isn't NUL-terminated. */
typedef void (*sconce_extra_callback)(void* user, const char* name, const void* data, size_t size);

typedef struct sconce_load_options {
  size_t size;
  int32_t interpret;           /* 1: the graph as PyTorch has it, nothing folded or planned */
  int32_t num_threads;         /* that share the work of one operator; 0: one */
  const char* device;          /* "cpu", "cuda", "cuda:1"; NULL: where the archive says */
  int32_t strict_device;       /* a kernel that the device lacks is an error, not a copy */
  int32_t refuse_setstate;     /* nothing of the file runs at load */
  const sconce_limits* limits; /* of loading, and of each call that is given none */
  const char* const* allowed_ops;
  size_t num_allowed_ops;
  const char* const* denied_ops;
  size_t num_denied_ops;
  sconce_text_callback print; /* what the model prints; NULL: dropped */
  void* print_user;
  sconce_text_callback warn; /* its warnings; NULL: dropped */
  void* warn_user;
  const char* const* extra_names; /* records to give to extra, those that are there */
  size_t num_extra;
  sconce_extra_callback extra;
  void* extra_user;
  /* Of a file of 32 MB or more, weights are read when they are first needed; 1: all is read by
   * sconce_load, and the file may be written in place from then on. */
  int32_t read_all;
  int32_t map_file; /* 1: the file is mapped; nobody may cut it or write into it meanwhile */
  /* 1: answers have the bits of the operators one by one, those that interpret gives: nothing is
   * folded or fused that changes one. An infinity or a NaN reaches the elements that PyTorch's do.
   */
  int32_t strict_numerics;
} sconce_load_options;
#define SCONCE_LOAD_OPTIONS_INIT                                                                   \
  {                                                                                                \
    sizeof(sconce_load_options), 0, 0, NULL, 0, 0, NULL, NULL, 0, NULL, 0, NULL, NULL, NULL, NULL, \
        NULL, 0, NULL, NULL, 0, 0, 0                                                               \
  }

/* Gives up to size bytes; 0 at the end, negative on an error. */
typedef int64_t (*sconce_read_callback)(void* user, void* buffer, size_t size);

/* options may be NULL. */
SCONCE_C_API sconce_status sconce_load(const char* path, const sconce_load_options* options,
                                       sconce_module** out);
/* The bytes are copied. */
SCONCE_C_API sconce_status sconce_load_memory(const void* data, size_t size,
                                              const sconce_load_options* options,
                                              sconce_module** out);
SCONCE_C_API sconce_status sconce_load_callback(sconce_read_callback read, void* user,
                                                const sconce_load_options* options,
                                                sconce_module** out);
/* Functions from TorchScript source text; they are called by name. */
SCONCE_C_API sconce_status sconce_compile(const char* source, const sconce_load_options* options,
                                          sconce_module** out);
SCONCE_C_API void sconce_module_free(sconce_module* module);

typedef struct sconce_save_options {
  size_t size;
  int32_t strip_debug;  /* without the lines of the original Python */
  int32_t dedupe;       /* storages with the same bytes once */
  const char* device;   /* where the tensors are when the file is loaded; NULL: where they are */
  int32_t file_version; /* that the file claims; 0: as PyTorch writes it */
  const char* const* extra_names; /* records under extra/ */
  const void* const* extra_data;
  const size_t* extra_sizes;
  size_t num_extra;
} sconce_save_options;
#define SCONCE_SAVE_OPTIONS_INIT \
  { sizeof(sconce_save_options), 0, 0, NULL, 0, NULL, NULL, NULL, 0 }

/* Takes all of the bytes and gives 0; anything else ends the writing. */
typedef int32_t (*sconce_write_callback)(void* user, const void* data, size_t size);

/* An archive that PyTorch loads. The file is written beside path and takes its place when all is on
 * the disk; after an error what was there before is still there. No call may be running that writes
 * the module. options may be NULL. */
SCONCE_C_API sconce_status sconce_module_save(const sconce_module* module, const char* path,
                                              const sconce_save_options* options);
SCONCE_C_API sconce_status sconce_module_save_callback(const sconce_module* module,
                                                       sconce_write_callback write, void* user,
                                                       const sconce_save_options* options);

/* A module of its own, its tensors too; the code is shared. */
SCONCE_C_API sconce_status sconce_module_clone(const sconce_module* module, sconce_module** out);
SCONCE_C_API sconce_status sconce_module_train(sconce_module* module, int32_t on);
SCONCE_C_API sconce_status sconce_module_is_training(const sconce_module* module, int32_t* out);
SCONCE_C_API sconce_status sconce_module_to_device(sconce_module* module, const char* device);
/* dtype: a SCONCE_ number below with fractions. */
SCONCE_C_API sconce_status sconce_module_to_dtype(sconce_module* module, int32_t dtype);
/* Makes a method ready before its first call. */
SCONCE_C_API sconce_status sconce_module_prepare(sconce_module* module, const char* method);
/* Besides: for arguments of the shapes, dtypes and plain values of args. Memory is placed and
 * weights are packed, so that the first such call costs what later ones do. A method that can't be
 * planned may run instead. Level 4. */
SCONCE_C_API sconce_status sconce_module_prepare_for(sconce_module* module, const char* method,
                                                     sconce_value* const* args, size_t num_args);
/* Adds methods, given as TorchScript source. */
SCONCE_C_API sconce_status sconce_module_define(sconce_module* module, const char* source);
SCONCE_C_API sconce_status sconce_module_class_name(const sconce_module* module, char** out);

SCONCE_C_API sconce_status sconce_module_num_methods(const sconce_module* module, size_t* out);
SCONCE_C_API sconce_status sconce_module_method_name(const sconce_module* module, size_t i,
                                                     char** out);
SCONCE_C_API sconce_status sconce_module_has_method(const sconce_module* module, const char* method,
                                                    int32_t* out);
/* "forward(Tensor x, int k=1) -> Tensor" */
SCONCE_C_API sconce_status sconce_method_schema(const sconce_module* module, const char* method,
                                                char** out);
/* Parameters of a method, self left out. type: "Tensor", "Optional[int]". type may be NULL, and
 * has_default. */
SCONCE_C_API sconce_status sconce_method_num_arguments(const sconce_module* module,
                                                       const char* method, size_t* out);
SCONCE_C_API sconce_status sconce_method_argument(const sconce_module* module, const char* method,
                                                  size_t i, char** name, char** type,
                                                  int32_t* has_default);
/* What it returns: "Tensor", "Tuple[Tensor, List[int]]". */
SCONCE_C_API sconce_status sconce_method_return_type(const sconce_module* module,
                                                     const char* method, char** out);
/* What PyTorch's Python binding makes of a value for a parameter: an int becomes a float, a list
 * gets its type, a tuple becomes the NamedTuple; containers are copied. (A call itself converts
 * nothing: it checks as LibTorch does.) Fails when the value doesn't fit. */
SCONCE_C_API sconce_status sconce_method_convert_argument(const sconce_module* module,
                                                          const char* method, size_t i,
                                                          const sconce_value* value,
                                                          sconce_value** out);
/* The graph as PyTorch prints it. passes: a pipeline to run first; NULL or "": none. */
SCONCE_C_API sconce_status sconce_method_graph(const sconce_module* module, const char* method,
                                               const char* passes, char** out);
/* A list of strings: operators that the archive uses and sconce lacks. */
SCONCE_C_API sconce_status sconce_module_missing_operators(const sconce_module* module,
                                                           sconce_value** out);

typedef struct sconce_call_options {
  size_t size;
  const sconce_limits* limits;    /* in place of the module's */
  const char* const* kwarg_names; /* arguments by name */
  sconce_value* const* kwarg_values;
  size_t num_kwargs;
  /* Tensors that the answer's tensors are copied into, in the order in which the answer holds them;
   * sizes and dtypes must agree. With out == NULL nothing else is given. */
  sconce_value* const* outputs;
  size_t num_outputs;
} sconce_call_options;
#define SCONCE_CALL_OPTIONS_INIT \
  { sizeof(sconce_call_options), NULL, NULL, NULL, 0, NULL, 0 }

/* Runs a method ("forward"); "__call__" runs forward with the module's hooks. args may be NULL when
 * there are none; options may be NULL. Arguments stay the caller's. */
SCONCE_C_API sconce_status sconce_module_call(const sconce_module* module, const char* method,
                                              sconce_value* const* args, size_t num_args,
                                              const sconce_call_options* options,
                                              sconce_value** out);

/* Attributes; "a.b.c" goes through submodules. */
SCONCE_C_API sconce_status sconce_module_has_attribute(const sconce_module* module,
                                                       const char* name, int32_t* out);
SCONCE_C_API sconce_status sconce_module_attribute(const sconce_module* module, const char* name,
                                                   sconce_value** out);
SCONCE_C_API sconce_status sconce_module_set_attribute(sconce_module* module, const char* name,
                                                       const sconce_value* value);
/* A dict of tensors by their dotted names. which: 0 parameters and buffers, 1 parameters, 2
 * buffers. */
SCONCE_C_API sconce_status sconce_module_state(const sconce_module* module, int32_t which,
                                               sconce_value** out);
/* Copies a dict of tensors into the parameters and buffers of these names. */
SCONCE_C_API sconce_status sconce_module_load_state(sconce_module* module,
                                                    const sconce_value* state, int32_t strict);

/* ---- Values ---- */

typedef int32_t sconce_kind;
enum {
  SCONCE_NONE = 0,
  SCONCE_TENSOR = 1,
  SCONCE_INT = 2,
  SCONCE_DOUBLE = 3,
  SCONCE_BOOL = 4,
  SCONCE_COMPLEX = 5,
  SCONCE_STRING = 6,
  SCONCE_DEVICE = 7,
  SCONCE_LIST = 8,
  SCONCE_DICT = 9,
  SCONCE_TUPLE = 10,
  SCONCE_OBJECT = 11, /* of a script class or a submodule */
  SCONCE_ENUM = 12,
  SCONCE_FUTURE = 13,
  SCONCE_FUNCTION = 14,
  SCONCE_GENERATOR = 15
};

SCONCE_C_API void sconce_value_free(sconce_value* value);
/* Another handle of the same value. */
SCONCE_C_API sconce_status sconce_value_retain(const sconce_value* value, sconce_value** out);
/* A copy with everything in it; what was shared inside is shared in the copy. The bytes of tensors
 * are copied when either is first written; nothing else may use the value meanwhile. */
SCONCE_C_API sconce_status sconce_value_clone(const sconce_value* value, sconce_value** out);
/* -1 for NULL. */
SCONCE_C_API sconce_kind sconce_value_kind(const sconce_value* value);
/* The type as graphs print it: "int[]", "Dict(str, Tensor)". */
SCONCE_C_API sconce_status sconce_value_type(const sconce_value* value, char** out);
/* The value as the language prints it. */
SCONCE_C_API sconce_status sconce_value_text(const sconce_value* value, char** out);
/* 1 when both refer to the same tensor or container, or are equal plain values. */
SCONCE_C_API int32_t sconce_value_same(const sconce_value* a, const sconce_value* b);
/* What torch.save wrote; nothing of the file is executed. */
SCONCE_C_API sconce_status sconce_value_load(const char* path, sconce_value** out);

SCONCE_C_API sconce_status sconce_none_new(sconce_value** out);
SCONCE_C_API sconce_status sconce_int_new(int64_t x, sconce_value** out);
SCONCE_C_API sconce_status sconce_double_new(double x, sconce_value** out);
SCONCE_C_API sconce_status sconce_bool_new(int32_t x, sconce_value** out);
SCONCE_C_API sconce_status sconce_complex_new(double re, double im, sconce_value** out);
/* UTF-8; may hold NULs. */
SCONCE_C_API sconce_status sconce_string_new(const char* text, size_t length, sconce_value** out);
SCONCE_C_API sconce_status sconce_device_new(const char* device, sconce_value** out);
/* type: of the elements, as graphs print it ("int", "Tensor", "int[]", "Tensor?"), or NULL: a
 * method's parameter decides. items may be NULL when n is 0. */
SCONCE_C_API sconce_status sconce_list_new(const char* type, sconce_value* const* items, size_t n,
                                           sconce_value** out);
SCONCE_C_API sconce_status sconce_tuple_new(sconce_value* const* items, size_t n,
                                            sconce_value** out);
SCONCE_C_API sconce_status sconce_dict_new(const char* key_type, const char* value_type,
                                           sconce_value* const* keys, sconce_value* const* values,
                                           size_t n, sconce_value** out);

/* SCONCE_INVALID_ARGUMENT for another kind. */
SCONCE_C_API sconce_status sconce_value_int(const sconce_value* value, int64_t* out);
SCONCE_C_API sconce_status sconce_value_double(const sconce_value* value, double* out);
SCONCE_C_API sconce_status sconce_value_bool(const sconce_value* value, int32_t* out);
SCONCE_C_API sconce_status sconce_value_complex(const sconce_value* value, double* re, double* im);
/* Of a string, valid while the value lives. */
SCONCE_C_API sconce_status sconce_value_string(const sconce_value* value, const char** text,
                                               size_t* length);
SCONCE_C_API sconce_status sconce_value_device(const sconce_value* value, char** out);

/* Of lists, tuples and dicts. */
SCONCE_C_API sconce_status sconce_value_length(const sconce_value* value, size_t* out);
/* Of lists and tuples. */
SCONCE_C_API sconce_status sconce_value_item(const sconce_value* value, size_t i,
                                             sconce_value** out);
/* "" for what is no NamedTuple. */
SCONCE_C_API sconce_status sconce_tuple_field(const sconce_value* value, size_t i, char** out);
SCONCE_C_API sconce_status sconce_list_set(sconce_value* list, size_t i, const sconce_value* item);
SCONCE_C_API sconce_status sconce_list_append(sconce_value* list, const sconce_value* item);
/* In the order of insertion. */
SCONCE_C_API sconce_status sconce_dict_entry(const sconce_value* dict, size_t i, sconce_value** key,
                                             sconce_value** value);
/* *out is NULL when there is no such key. */
SCONCE_C_API sconce_status sconce_dict_find(const sconce_value* dict, const sconce_value* key,
                                            sconce_value** out);
SCONCE_C_API sconce_status sconce_dict_set(sconce_value* dict, const sconce_value* key,
                                           const sconce_value* value);
/* Of objects, and of enums ("name", "value"). */
SCONCE_C_API sconce_status sconce_object_class(const sconce_value* object, char** out);
SCONCE_C_API sconce_status sconce_object_num_attributes(const sconce_value* object, size_t* out);
SCONCE_C_API sconce_status sconce_object_attribute_name(const sconce_value* object, size_t i,
                                                        char** out);
SCONCE_C_API sconce_status sconce_object_attribute(const sconce_value* object, const char* name,
                                                   sconce_value** out);
/* Of objects; the value must be of the attribute's type. */
SCONCE_C_API sconce_status sconce_object_set_attribute(sconce_value* object, const char* name,
                                                       const sconce_value* value);
/* The value of a future, when it is there; what its task raised is this call's error. */
SCONCE_C_API sconce_status sconce_future_wait(const sconce_value* future, sconce_value** out);
SCONCE_C_API sconce_status sconce_generator_new(uint64_t seed, sconce_value** out);

/* ---- Tensors ---- */

/* PyTorch's numbers of dtypes; others are there too. */
enum {
  SCONCE_UINT8 = 0,
  SCONCE_INT8 = 1,
  SCONCE_INT16 = 2,
  SCONCE_INT32 = 3,
  SCONCE_INT64 = 4,
  SCONCE_FLOAT16 = 5,
  SCONCE_FLOAT32 = 6,
  SCONCE_FLOAT64 = 7,
  SCONCE_COMPLEX64 = 9,
  SCONCE_COMPLEX128 = 10,
  SCONCE_BOOL8 = 11,
  SCONCE_BFLOAT16 = 15
};

typedef void (*sconce_deleter)(void* user);

/* Zeros, C-contiguous. sizes may be NULL when dim is 0. */
SCONCE_C_API sconce_status sconce_tensor_new(int32_t dtype, const int64_t* sizes, size_t dim,
                                             sconce_value** out);
/* Borrows data until deleter(user) is called, which happens when the last tensor that uses the
 * memory goes; deleter may be NULL. strides in elements, none negative; NULL: C-contiguous. When
 * this fails, deleter isn't called. */
SCONCE_C_API sconce_status sconce_tensor_borrow(void* data, int32_t dtype, const int64_t* sizes,
                                                const int64_t* strides, size_t dim,
                                                sconce_deleter deleter, void* user,
                                                sconce_value** out);
/* Copies numel elements, C-contiguous. */
SCONCE_C_API sconce_status sconce_tensor_copy_from(const void* data, int32_t dtype,
                                                   const int64_t* sizes, size_t dim,
                                                   sconce_value** out);
SCONCE_C_API sconce_status sconce_tensor_dtype(const sconce_value* tensor, int32_t* out);
SCONCE_C_API sconce_status sconce_tensor_dim(const sconce_value* tensor, size_t* out);
/* Valid while the handle lives and the tensor keeps its form. strides in elements. */
SCONCE_C_API sconce_status sconce_tensor_sizes(const sconce_value* tensor, const int64_t** out);
SCONCE_C_API sconce_status sconce_tensor_strides(const sconce_value* tensor, const int64_t** out);
SCONCE_C_API sconce_status sconce_tensor_numel(const sconce_value* tensor, int64_t* out);
SCONCE_C_API sconce_status sconce_tensor_device(const sconce_value* tensor, char** out);
/* The first element, on the CPU. _data: to read. _mutable_data: also to write; from then on a
 * prepared module that holds this memory reads it anew in every call. */
SCONCE_C_API sconce_status sconce_tensor_data(const sconce_value* tensor, const void** out);
SCONCE_C_API sconce_status sconce_tensor_mutable_data(sconce_value* tensor, void** out);
/* Writes the elements, C-contiguous, whatever device and strides they have; size: of the buffer in
 * bytes, which must be numel times the size of an element. */
SCONCE_C_API sconce_status sconce_tensor_copy_to(const sconce_value* tensor, void* buffer,
                                                 size_t size);
/* Another dtype (-1: as it is), device (NULL: as it is) and C-contiguous; the same tensor when
 * nothing changes. */
SCONCE_C_API sconce_status sconce_tensor_to(const sconce_value* tensor, int32_t dtype,
                                            const char* device, sconce_value** out);
/* DLPack 0.x: struct DLManagedTensor of dlpack.h. _to_dlpack: shares the memory; the caller calls
 * its deleter. _from_dlpack: takes it over; its deleter is called when the last tensor goes, and
 * not at all when this fails. CPU memory only. */
struct DLManagedTensor;
SCONCE_C_API sconce_status sconce_tensor_to_dlpack(const sconce_value* tensor,
                                                   struct DLManagedTensor** out);
SCONCE_C_API sconce_status sconce_tensor_from_dlpack(struct DLManagedTensor* tensor,
                                                     sconce_value** out);

/* Of the samplers of this process that a model uses when it is given no generator. */
SCONCE_C_API sconce_status sconce_manual_seed(uint64_t seed);

#ifdef __cplusplus
}
#endif
#endif
