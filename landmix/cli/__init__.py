"""The command line: argv, hydra, checking, exit codes. Nothing else knows hydra or omegaconf."""
