// SPDX-License-Identifier: Apache-2.0
// A network of pictures from Rust over the C API: the best class of an even grey picture.
// usage: classify MODEL.pt
use std::ffi::{c_char, c_int, CStr, CString};
use std::{env, error::Error, fmt, ptr};

mod ffi {
    use super::*;
    #[repr(C)]
    pub struct Module {
        _private: [u8; 0],
    }
    #[repr(C)]
    pub struct Value {
        _private: [u8; 0],
    }
    pub const FLOAT32: i32 = 6;
    extern "C" {
        pub fn sconce_error_message() -> *const c_char;
        pub fn sconce_load(path: *const c_char, options: *const u8, out: *mut *mut Module) -> c_int;
        pub fn sconce_module_free(m: *mut Module);
        pub fn sconce_module_call(
            m: *const Module, method: *const c_char, args: *const *mut Value, n: usize,
            options: *const u8, out: *mut *mut Value,
        ) -> c_int;
        pub fn sconce_tensor_copy_from(
            data: *const f32, dtype: i32, sizes: *const i64, dim: usize, out: *mut *mut Value,
        ) -> c_int;
        pub fn sconce_tensor_numel(t: *const Value, out: *mut i64) -> c_int;
        pub fn sconce_tensor_copy_to(t: *const Value, buffer: *mut f32, bytes: usize) -> c_int;
        pub fn sconce_value_free(v: *mut Value);
    }
}

#[derive(Debug)]
struct Failure(String);
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl Error for Failure {}

fn check(status: c_int) -> Result<(), Failure> {
    if status == 0 {
        return Ok(());
    }
    // The message is never null and lives until this thread's next failure.
    let text = unsafe { CStr::from_ptr(ffi::sconce_error_message()) };
    Err(Failure(text.to_string_lossy().into_owned()))
}

struct Tensor(*mut ffi::Value);
impl Tensor {
    fn from(data: &[f32], sizes: &[i64]) -> Result<Self, Failure> {
        assert_eq!(data.len() as i64, sizes.iter().product::<i64>());
        let mut v = ptr::null_mut();
        check(unsafe {
            ffi::sconce_tensor_copy_from(data.as_ptr(), ffi::FLOAT32, sizes.as_ptr(), sizes.len(), &mut v)
        })?;
        Ok(Tensor(v))
    }
    fn elements(&self) -> Result<Vec<f32>, Failure> {
        let mut n = 0;
        check(unsafe { ffi::sconce_tensor_numel(self.0, &mut n) })?;
        let mut r = vec![0f32; n as usize];
        // Fails when the elements aren't float32 of this many bytes.
        check(unsafe { ffi::sconce_tensor_copy_to(self.0, r.as_mut_ptr(), r.len() * 4) })?;
        Ok(r)
    }
}
impl Drop for Tensor {
    fn drop(&mut self) {
        unsafe { ffi::sconce_value_free(self.0) }
    }
}

struct Module(*mut ffi::Module);
impl Module {
    fn load(path: &str) -> Result<Self, Box<dyn Error>> {
        let path = CString::new(path)?;
        let mut m = ptr::null_mut();
        check(unsafe { ffi::sconce_load(path.as_ptr(), ptr::null(), &mut m) })?;
        Ok(Module(m))
    }
    fn forward(&self, x: &Tensor) -> Result<Tensor, Failure> {
        let mut y = ptr::null_mut();
        let method = CString::new("forward").unwrap();
        check(unsafe {
            ffi::sconce_module_call(self.0, method.as_ptr(), &x.0, 1, ptr::null(), &mut y)
        })?;
        Ok(Tensor(y))
    }
}
impl Drop for Module {
    fn drop(&mut self) {
        unsafe { ffi::sconce_module_free(self.0) }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let path = env::args().nth(1).ok_or("usage: classify MODEL.pt")?;
    let model = Module::load(&path)?;
    let x = Tensor::from(&[0.5; 3 * 32 * 32], &[1, 3, 32, 32])?;
    let scores = model.forward(&x)?.elements()?;
    let best = (0..scores.len()).max_by(|&a, &b| scores[a].total_cmp(&scores[b])).ok_or("no class")?;
    println!("{} of {} classes", best, scores.len());
    Ok(())
}
