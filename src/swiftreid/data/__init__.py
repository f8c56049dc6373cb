"""Pictures in: samples, benchmark readers, decoding, the doctor."""
