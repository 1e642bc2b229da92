"""What the programs that a run starts see and reach."""

from __future__ import annotations

import ast
import json
import os
import socket
from pathlib import Path

import pytest

from finetune import isolation
from finetune.process import environment, launch
from finetune.runners import emit

ROOT = Path(__file__).resolve().parents[3]


SECRETS = (
    *("GH_TOKEN", "GITHUB_TOKEN", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH", "WANDB_API_KEY"),
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "GOOGLE_APPLICATION_CREDENTIALS"),
    *(
        "AZURE_CLIENT_SECRET",
        "OPENAI_API_KEY",
        "SSH_AUTH_SOCK",
        "SSH_AGENT_PID",
        "KUBECONFIG",
        "DATABASE_URL",
    ),
    *("HTTPS_PROXY", "https_proxy", "PIP_INDEX_URL", "UV_INDEX_URL", "NETRC", "SLURM_JWT", "KRB5CCNAME"),
    *(
        "DBUS_SESSION_BUS_ADDRESS",
        "XDG_RUNTIME_DIR",
        "DOCKER_HOST",
        "TORCH_SECRET",
        "TRANSFORMERS_API_KEY",
        "CI_JOB_TOKEN",
    ),
)
NEEDED = (
    *(
        "HF_HOME",
        "HF_HUB_CACHE",
        "HF_DATASETS_CACHE",
        "TRANSFORMERS_CACHE",
        "OMP_NUM_THREADS",
        "MKL_NUM_THREADS",
    ),
    *(
        "CUDA_HOME",
        "CUDA_LAUNCH_BLOCKING",
        "NVIDIA_VISIBLE_DEVICES",
        "NCCL_P2P_DISABLE",
        "HSA_OVERRIDE_GFX_VERSION",
    ),
    *(
        "LD_LIBRARY_PATH",
        "PYTORCH_CUDA_ALLOC_CONF",
        "TORCHINDUCTOR_CACHE_DIR",
        "TRITON_CACHE_DIR",
        "PYTHONPATH",
    ),
    *(
        "TMPDIR",
        "LC_ALL",
        "XDG_CACHE_HOME",
        "CUBLAS_WORKSPACE_CONFIG",
        "TOKENIZERS_PARALLELISM",
        "MASTER_ADDR",
    ),
)


def test_stack_sees_the_variables_that_it_needs_and_no_secret(stack, tmp_path, monkeypatch):
    monkeypatch.setattr(isolation, "describe_network", lambda: "open: not of interest here")
    for name in (*SECRETS, *NEEDED):
        monkeypatch.setenv(name, "value")
    monkeypatch.setenv("PYTHONPATH", "")
    monkeypatch.delenv("HTTP_PROXY", raising=False)
    command = stack('(run / "seen.json").write_text(json.dumps(dict(os.environ)))')
    monkeypatch.setenv("LD_LIBRARY_PATH", "")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    launch.run_process(command, tmp_path, {"UNSLOTH_DISABLE_STATISTICS": "1"})
    names = set(json.loads((tmp_path / "seen.json").read_text()))
    assert sorted(names & set(SECRETS)) == []
    assert sorted(set(NEEDED) - names) == []
    assert {"UNSLOTH_DISABLE_STATISTICS", emit.WRAPPER_PID, "PATH", "HOME"} <= names


def test_other_variable_passes_if_the_user_names_it(monkeypatch):
    monkeypatch.setenv("SITE_LICENSE", "x")
    assert "SITE_LICENSE" not in isolation.select_variables()
    monkeypatch.setenv(isolation.PASS_VARIABLE, "OTHER, SITE_LICENSE")
    assert isolation.select_variables()["SITE_LICENSE"] == "x"


def test_uv_gets_the_index_and_no_other_secret(monkeypatch):
    index = (
        "UV_INDEX_URL",
        "UV_INDEX_MINE_PASSWORD",
        "PIP_INDEX_URL",
        "HTTPS_PROXY",
        "no_proxy",
        "SSL_CERT_FILE",
    )
    for name in (*SECRETS, *index, "UV_PUBLISH_TOKEN", "UV_PUBLISH_PASSWORD"):
        monkeypatch.setenv(name, "value")
    monkeypatch.setenv("PIP_FIND_LINKS", "wheels")
    monkeypatch.delenv("UV_FIND_LINKS", raising=False)
    variables = environment.uv_variables()
    assert variables["UV_FIND_LINKS"] == "wheels"
    assert set(index) <= set(variables)
    reach_an_index = {"HTTPS_PROXY", "https_proxy", "PIP_INDEX_URL", "UV_INDEX_URL", "NETRC"}
    assert sorted({*SECRETS, "UV_PUBLISH_TOKEN", "UV_PUBLISH_PASSWORD"} & set(variables)) == sorted(
        reach_an_index
    )


def test_stack_has_no_network_where_the_system_can_close_it(stack, tmp_path, monkeypatch):
    """The stack tries to reach a server of this machine; its own loopback device works."""
    monkeypatch.setenv("NCCL_SOCKET_IFNAME", "eth0")
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0)
        command = stack(f"""
            with socket.create_server(("127.0.0.1", 0)) as own:
                socket.create_connection(own.getsockname()).close()
            try:
                socket.create_connection(("127.0.0.1", {server.getsockname()[1]}), timeout=10).close()
                say("reached")
            except OSError as error:
                device = os.environ.get("NCCL_SOCKET_IFNAME")
                say("refused", name=socket.gethostname(), user=os.getuid(), device=device)
        """)  # fmt: skip
        events = []
        launch.run_process(command, tmp_path, {}, on_event=events.append)
        if isolation.describe_network() != isolation.NO_NETWORK:
            assert events[0]["event"] == "reached"
            return
        assert (events[0]["event"], events[0]["name"], events[0]["user"]) == (
            "refused",
            "localhost",
            os.getuid(),
        )
        assert events[0]["device"] is None, "NCCL would look for a device that is not there"
        with pytest.raises(BlockingIOError):
            server.accept()
        launch.run_process(command, tmp_path, {}, on_event=events.append, needs_network=True)
        assert [event["event"] for event in events if event["event"] != "finished"] == ["refused", "reached"]


def test_system_that_cannot_close_the_network_is_named(monkeypatch):
    monkeypatch.setattr(
        isolation, "_probe", lambda: "cannot start without a network: Operation not permitted"
    )
    assert isolation.close_network(["python"]) == ["python"]
    assert isolation.describe_network() == "open: cannot start without a network: Operation not permitted"
    monkeypatch.setattr(isolation, "_probe", lambda: "")
    assert isolation.describe_network() == isolation.NO_NETWORK
    assert isolation.close_network(["python"])[-1] == "python"
    monkeypatch.setenv(isolation.NETWORK_VARIABLE, "open")
    assert isolation.describe_network() == "open: ADVISOR_NETWORK is open"


def test_probe_reports_what_the_system_says(monkeypatch, tmp_path):
    script = tmp_path / "no_network.py"
    script.write_text("import sys; sys.exit('not here')")
    monkeypatch.setattr(isolation.no_network, "__file__", str(script))
    assert isolation._probe.__wrapped__() == "not here"


def test_every_program_is_started_with_the_list_of_variables():
    starts = 0
    for file in sorted((ROOT / "finetune").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            call = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            if call in ("subprocess.run", "subprocess.Popen", "os.posix_spawn", "os.system", "os.popen"):
                starts += 1
                values = [ast.unparse(k.value) for k in node.keywords if k.arg == "env"]
                is_probe = file.name == "isolation.py" and not values  # runs only code of our own
                allowed = ("select_variables(", "uv_variables()", "variables")
                assert is_probe or any(name in values[0] for name in allowed), f"{file}:{node.lineno}"
    assert starts > 5
