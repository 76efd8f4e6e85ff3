# SPDX-License-Identifier: Apache-2.0
# Optional at use: a folder of its own that answers find_package(Torch) and LibTorch's include lines (TorchConfig.cmake.in).
set(SHIM_FOLDER ${CMAKE_INSTALL_DATADIR}/sconce/libtorch)
set(SHIM_FOLDER_TEXT ${SHIM_FOLDER})
set(SHIM_PACKAGE ${SHIM_FOLDER}/share/cmake/Torch)
file(RELATIVE_PATH TO_PACKAGE /${SHIM_PACKAGE} /${CMAKE_INSTALL_LIBDIR}/cmake/sconce)
file(RELATIVE_PATH TO_HEADERS /${SHIM_PACKAGE} /${SHIM_FOLDER}/include)
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/TorchConfig.cmake.in ${CMAKE_CURRENT_BINARY_DIR}/libtorch/TorchConfig.cmake
  INSTALL_DESTINATION ${SHIM_PACKAGE})
# The version of LibTorch whose declarations sconce/torch.h follows.
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/libtorch/TorchConfigVersion.cmake VERSION 2.13.0 COMPATIBILITY AnyNewerVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/libtorch/TorchConfig.cmake ${CMAKE_CURRENT_BINARY_DIR}/libtorch/TorchConfigVersion.cmake
  DESTINATION ${SHIM_PACKAGE} COMPONENT development)

set(SHIM_HEADERS
  torch/script.h torch/torch.h torch/all.h torch/types.h torch/utils.h torch/cuda.h torch/serialize.h torch/nn/functional.h
  torch/data/transforms/tensor.h torch/csrc/autograd/grad_mode.h torch/csrc/api/include/torch/cuda.h
  torch/csrc/jit/api/module.h torch/csrc/jit/api/object.h torch/csrc/jit/api/method.h torch/csrc/jit/ir/ir.h
  torch/csrc/jit/passes/freeze_module.h torch/csrc/jit/runtime/graph_executor.h torch/csrc/jit/serialization/import.h
  torch/csrc/jit/serialization/export.h torch/csrc/jit/serialization/pickle.h
  ATen/ATen.h ATen/Context.h ATen/Device.h ATen/Functions.h ATen/Parallel.h ATen/ScalarOps.h ATen/Tensor.h ATen/TensorIndexing.h
  ATen/TensorOperators.h ATen/core/Tensor.h ATen/core/TensorBody.h ATen/core/ivalue.h ATen/core/List.h ATen/core/Dict.h
  ATen/core/grad_mode.h ATen/core/jit_type.h ATen/core/function_schema.h ATen/cuda/CUDAContext.h
  c10/core/CPUAllocator.h c10/core/Device.h c10/core/DeviceType.h c10/core/GradMode.h c10/core/InferenceMode.h c10/core/Layout.h
  c10/core/MemoryFormat.h c10/core/Scalar.h c10/core/ScalarType.h c10/core/TensorOptions.h c10/cuda/CUDACachingAllocator.h
  c10/cuda/CUDAFunctions.h c10/cuda/CUDAStream.h c10/util/ArrayRef.h c10/util/BFloat16.h c10/util/Exception.h c10/util/Half.h
  c10/util/Optional.h c10/util/StringUtil.h c10/util/complex.h c10/util/intrusive_ptr.h c10/util/irange.h c10/util/string_view.h
  torch/version.h torch/nn.h torch/fft.h torch/linalg.h torch/enum.h torch/expanding_array.h torch/jit.h torch/mps.h torch/autograd.h
  torch/data/transforms.h torch/serialize/tensor.h torch/csrc/autograd/variable.h torch/csrc/autograd/autograd.h
  torch/csrc/jit/passes/tensorexpr_fuser.h torch/csrc/jit/runtime/jit_exception.h torch/csrc/jit/runtime/interpreter.h
  torch/csrc/jit/passes/inliner.h torch/csrc/jit/frontend/tracer.h torch/csrc/jit/serialization/pickler.h
  ATen/Dispatch.h ATen/DeviceGuard.h ATen/Generator.h ATen/CPUGeneratorImpl.h ATen/TensorAccessor.h ATen/core/TensorAccessor.h
  ATen/core/Scalar.h ATen/core/ScalarType.h ATen/core/Generator.h ATen/core/stack.h ATen/core/type_factory.h ATen/autocast_mode.h
  ATen/cuda/CUDAEvent.h ATen/cuda/CUDAGraph.h ATen/cuda/Exceptions.h c10/core/Allocator.h c10/core/AutogradState.h
  c10/core/Storage.h c10/core/Stream.h c10/core/DeviceGuard.h c10/cuda/CUDAGuard.h c10/cuda/CUDAException.h c10/macros/Export.h
  c10/macros/Macros.h c10/util/accumulate.h c10/util/Logging.h c10/util/OptionalArrayRef.h c10/util/typeid.h
  ATen/core/DimVector.h c10/core/QEngine.h c10/util/SmallVector.h torch/special.h torch/serialize/archive.h
  torch/serialize/input-archive.h torch/serialize/output-archive.h torch/csrc/api/include/torch/torch.h
  torch/csrc/api/include/torch/all.h torch/csrc/api/include/torch/nn/functional.h torch/csrc/jit/codegen/fuser/interface.h
  torch/csrc/jit/jit_log.h torch/library.h ATen/core/op_registration/op_registration.h c10/core/DispatchKey.h
  caffe2/serialize/inline_container.h caffe2/serialize/read_adapter_interface.h)
foreach(family activation batchnorm conv distance dropout embedding fold instancenorm linear loss normalization padding pixelshuffle
    pooling upsampling vision)
  list(APPEND SHIM_HEADERS torch/nn/functional/${family}.h torch/nn/options/${family}.h)
endforeach()
foreach(header ${SHIM_HEADERS})
  file(CONFIGURE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/libtorch/include/${header} CONTENT "// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sconce/torch.h>
")
endforeach()
install(DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/libtorch/include DESTINATION ${SHIM_FOLDER} COMPONENT development)
