"""What stands under the help of each command."""

MODELS = """examples:
  python -m dqviz models
  python -m dqviz models --all
  python -m dqviz models --out networks.csv"""
DATA = """examples:
  python -m dqviz data
  python -m dqviz data --out data.json"""
TRAIN = """examples:
  python -m dqviz train recipes/streetdigits-resnet20-vanilla.toml --out runs
A run that was killed goes on when the same command is given again."""
AMPLIFY = """examples:
  python -m dqviz amplify --n 128 --act-bits 4
  python -m dqviz amplify --model cifar10/resnet20/dq --data parquet:PATH --n 128 \\
      --weight-bits 8 --act-bits 4 --attack fgsm --eps 1/255 --seed 0 --out curve.csv
  python -m dqviz amplify --eps 0.25/255,0.5/255,1/255 --controls --out curves.parquet"""
LIPSCHITZ = """examples:
  python -m dqviz lipschitz --model streetdigits/resnet20/dq
  python -m dqviz lipschitz --checkpoint FILE --arch resnet20 --classes 10 \\
      --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225 --out norms.json
  python -m dqviz lipschitz --details --n 64"""
ACCURACY = """examples:
  python -m dqviz accuracy --model streetdigits/resnet20/vanilla --attack pgd --eps 1/255 \\
      --steps 10 --act-bits 4
  python -m dqviz accuracy --n 500 --eps 0.5/255,1/255,2/255 --out accuracy.json
  python -m dqviz accuracy --n 200 --attack standard --steps 20 --queries 1000 --eps 1/255
  python -m dqviz accuracy --n 16 --attack pgd --eps 2/255 --save-images adversarial"""
SMALLEST = """examples:
  python -m dqviz smallest-epsilon --n 200 --attack pgd --eps 8/255
  python -m dqviz smallest-epsilon --n 200 --attack apgd_dlr --act-bits 4 --out smallest.csv"""
CORRUPT = """examples:
  python -m dqviz corrupt --n 1000 --act-bits 4
  python -m dqviz corrupt --model cifar10/resnet20/dq --severities 5 --out corrupted.csv"""
TRUST = """examples:
  python -m dqviz trust --n 128 --weight-bits 8 --act-bits 4 --attack pgd --eps 1/255
  python -m dqviz trust --checkpoint FILE --arch resnet20 --classes 10 --data parquet:PATH \\
      --act-bits 4 --attack apgd_dlr --eps 2/255 --out checks.csv"""
SWEEP = """examples:
  python -m dqviz sweep grid.toml --dry-run
  python -m dqviz sweep grid.toml --store study.sqlite --workers 2
  python -m dqviz sweep grid.toml --store part3.sqlite --shard 3/10
A sweep that was killed goes on when the same command is given again."""
PAPER = """examples:
  python -m dqviz paper --out paper --quick
  python -m dqviz paper --out paper
A run that was killed goes on when the same command is given again."""
DOCTOR = """examples:
  python -m dqviz doctor
  python -m dqviz doctor --out machine.json"""
