import subprocess
import sys

PROGRAM = """
import importlib_metadata

lookups = []
kept = importlib_metadata.packages_distributions
importlib_metadata.packages_distributions = lambda: lookups.append(1) or kept()
import rnnexp.tracking.preloaded
print(len(lookups))
import mlflow.pyfunc

class Model(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input):
        return model_input

mlflow.pyfunc.save_model("model", python_model=Model(), pip_requirements=["numpy"])
print(len(lookups))
"""


def test_what_saving_a_model_looks_up_is_looked_up_at_import():
    answer = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert answer.stdout == "1\n1\n"
