"""The systems the platform is compared with, each installed in an environment of its own."""
