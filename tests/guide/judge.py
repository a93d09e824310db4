#!/usr/bin/env python3
"""Judges a reader's program for the exercise of one chapter of the guide.

    judge.py NN PROGRAM     exit code 0: right; 1: not yet, with the reason; 2: no such exercise

Each `exercise_NN.py` beside this file has TASK, a text a language, and check(program), which raises
NotYet. It speaks the language of the environment: English or Portuguese.
"""
# SPDX-License-Identifier: MIT

import importlib
import os
import sys

import support

WORDS = {
    "en": {"right": "Chapter {n}: right.", "not_yet": "Chapter {n}: not yet. {why}",
           "task": "The task: {task}", "none": "There is no exercise {n}."},
    "pt": {"right": "Capítulo {n}: certo.", "not_yet": "Capítulo {n}: ainda não. {why}",
           "task": "A tarefa: {task}", "none": "Não há exercício {n}."},
}


def main(number, program):
    speech = support.language()
    words = WORDS[speech]
    chapter = number.lstrip("0")
    try:
        exercise = importlib.import_module(f"exercise_{number}")
    except ModuleNotFoundError:
        print(words["none"].format(n=chapter))
        return 2
    try:
        exercise.check(os.path.abspath(program))
    except support.NotYet as reason:
        print(words["not_yet"].format(n=chapter, why=reason.text[speech]))
        print(words["task"].format(task=exercise.TASK[speech]))
        return 1
    except (OSError, UnicodeDecodeError) as error:
        # The program hung, died or hung up, or is none: that is the reader's, not the judge's.
        print(words["not_yet"].format(n=chapter, why=error))
        print(words["task"].format(task=exercise.TASK[speech]))
        return 1
    print(words["right"].format(n=chapter))
    return 0


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1].zfill(2), sys.argv[2]))
