"""Part I: convolution."""
