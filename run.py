"""One run, or a sweep with -m: python run.py activation=relu seq_len=200."""

from rnnexp.__main__ import main

if __name__ == "__main__":
    main()
