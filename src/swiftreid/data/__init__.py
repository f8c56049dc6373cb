"""Pictures in: samples, readers of published data sets, decoding, the doctor."""
