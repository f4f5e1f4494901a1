//! temporary
pub mod virtio { pub const HEADER_SIZE: usize = 10;
#[derive(Default, Clone, Copy)] pub struct VirtioHeader([u8;10]);
impl VirtioHeader { pub fn from_bytes(b:&[u8;10])->Self{Self(*b)} pub fn to_bytes(&self)->[u8;10]{self.0} pub fn is_udp(&self)->bool{false} } }
pub mod split { use super::virtio::VirtioHeader; pub struct Segments<'a>(&'a [u8]);
impl<'a> Segments<'a> { pub fn parse(_h:&VirtioHeader, p:&'a mut [u8])->Result<Self,()> {Ok(Segments(p))} pub fn count(&self)->usize{1} pub fn size(&self,_:usize)->usize{self.0.len()} pub fn write(&self,_:usize,o:&mut [u8]){o.copy_from_slice(self.0)} pub fn first_header(&self)->&[u8]{self.0} } }
pub mod merge { use super::virtio::VirtioHeader; use std::ops::Range; pub const MAX_PARTS: usize=64;
#[derive(Default)] pub struct Merger(Vec<Range<usize>>);
impl Merger { pub fn allow(&mut self,_:bool,_:bool){} pub fn push(&mut self,_b:&mut [u8],r:Range<usize>){self.0.push(r)} pub fn drain(&mut self,b:&mut [u8], mut f: impl FnMut(&mut [u8],&VirtioHeader,&[Range<usize>])){ for r in self.0.drain(..) { f(b,&VirtioHeader::default(),&[r]) } } } }
