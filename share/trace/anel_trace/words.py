# words.py: every word of the pictures, in English and in Portuguese.
# SPDX-License-Identifier: MIT
"""A row holds both languages, so that none can lack what the other has."""

import errno

LANGUAGES = ("en", "pt")
NAMES = ("English", "Português")

TABLE = {
    # The timeline: title, lanes, legend.
    "timeline": ("{program}: one loop, {tasks}", "{program}: um laço, {tasks}"),
    "real run": ("A real run on {backend}: {time}", "Uma execução real em {backend}: {time}"),
    "virtual run": ("A simulated run, seed {seed}: {time} of virtual time",
                    "Uma execução simulada, semente {seed}: {time} de tempo virtual"),
    "virtual run, no seed": ("A simulated run: {time} of virtual time",
                             "Uma execução simulada: {time} de tempo virtual"),
    "from": (", from {ms} ms on", ", a partir de {ms} ms"),
    "packets": ("packets", "pacotes"),
    "packet in": ("{what} from {host}", "{what} de {host}"),
    "packet out": ("{what} to {host}", "{what} para {host}"),
    "one task": ("one task", "uma tarefa"),
    "tasks": ("{n} tasks", "{n} tarefas"),
    "task": ("task {n}", "tarefa {n}"),
    "a task": ("{task}", "a {task}"),  # in a sentence
    "loop": ("the loop", "o laço"),
    "loop n": ("loop {n}", "laço {n}"),
    "kernel": ("KERNEL", "KERNEL"),
    "network": ("NETWORK", "REDE"),
    "process": ("YOUR PROCESS", "SEU PROCESSO"),
    "runs": ("runs", "em execução"),
    "held": ("held by the kernel", "com o kernel"),
    "held by network": ("waits for the network", "espera a rede"),
    "until ready": ("waits until ready", "espera ficar pronto"),
    "ready": ("ready, not yet resumed", "pronta, ainda não retomada"),
    "came": ("the kernel has got it", "chegou ao kernel"),
    "suspended": ("suspended: costs no CPU", "suspensa: não gasta CPU"),
    "asleep": ("asleep", "dormindo"),
    "asks": ("asks", "pergunta"),
    "in await": ("in co_await {what}", "em co_await {what}"),
    "suspended in await": ("suspended in co_await {what}", "suspensa em co_await {what}"),
    "wake": ("wake", "acorda"),
    "timer": ("timer", "timer"),
    "not to scale": ("not to scale", "fora de escala"),
    "left out": ("Not shown: {tasks}.", "Fora da figura: {tasks}."),
    "cut": ("The first {n} of {all} events of this span.",
            "Os primeiros {n} de {all} eventos deste trecho."),
    "true scale": ("The same {time} at true scale", "Os mesmos {time} em escala real"),
    "part asleep": ("asleep {time}", "dormindo {time}"),
    "part asks": ("in the kernel {time}", "no kernel {time}"),
    "part tasks": ("your code {time}", "seu código {time}"),
    "part loop": ("the loop {time}", "o laço {time}"),

    # The steps below a timeline. A sentence about a task is its label and some clauses.
    "and": (" and ", " e "),
    "on fd": ("{call} on fd\u00a0{fd}", "{call} no fd\u00a0{fd}"),
    "one result": ("one result", "um resultado"),
    "results": ("{n} results", "{n} resultados"),
    "one request": ("one request", "um pedido"),
    "requests": ("{n} requests", "{n} pedidos"),
    "hands over one": ("One call hands it over: {list}.",
                       "Uma chamada entrega o pedido: {list}."),
    "returns": ("The call returns with {results}: {list}.",
                "A chamada volta com {results}: {list}."),
    "returns without": ("The call returns without a result.", "A chamada volta sem resultado."),
    "wakes": ("The loop wakes with {results}: {list}.", "O laço acorda com {results}: {list}."),
    "wakes without": ("The loop wakes without a result.", "O laço acorda sem resultado."),
    "timer fires": ("A timer is due: the loop wakes.", "Um timer venceu: o laço acorda."),
    "woken": ("Another thread wakes the loop.", "Outra thread acorda o laço."),
    "hands over": ("One call hands over {requests}: {list}.",
                   "Uma chamada entrega {requests}: {list}."),
    "sleeps": ("The loop sleeps.", "O laço dorme."),
    "nothing left": ("Nothing is left to do, so the loop sleeps.",
                     "Não há mais nada a fazer: o laço dorme."),
    "holds": ("The loop sleeps; the kernel holds {list}.",
              "O laço dorme; o kernel guarda {list}."),
    "waits ready": ("The loop sleeps. Waiting: {list}.", "O laço dorme. À espera: {list}."),
    "does not sleep": ("The loop asks for results and does not sleep: a task is ready.",
                       "O laço pergunta por resultados e não dorme: há tarefa pronta."),
    "run in turn": ("{list} run, one after the other.", "{list} rodam, uma após a outra."),
    "begins": ("begins", "começa"),
    "goes on": ("goes on", "continua"),
    "wakes up": ("wakes from its sleep", "acorda do seu sono"),
    "let go": ("goes on, as {by} lets it", "continua, pois {by} deixa"),
    "gets": ("gets {bytes} from {call}", "recebe {bytes} do {call}"),
    "gets end": ("learns that the peer has finished", "fica sabendo que o outro lado terminou"),
    "gets connection": ("gets a new connection", "recebe uma nova conexão"),
    "has sent": ("has sent {bytes}", "enviou {bytes}"),
    "connected": ("is connected", "está conectada"),
    "gets error": ("gets {error} from {call}", "recebe {error} do {call}"),
    "gets result": ("gets the result of {call}", "recebe o resultado do {call}"),
    "asks for": ("asks for {call}", "pede {call}"),
    "at once": ("{clause} at once", "{clause} na hora"),
    "sends": ("sends {bytes}", "envia {bytes}"),
    "suspends": ("suspends", "se suspende"),
    "spawns": ("spawns {task}", "inicia {task}"),
    "lets go": ("lets {task} go on", "deixa {task} continuar"),
    "cancels": ("cancels what is below it", "cancela o que está abaixo dela"),
    "marks": ("marks “{text}”", "marca “{text}”"),
    "waits for": ("waits for {what}", "espera {what}"),
    "wait sleep": ("sleeps", "dorme"),
    "wait event": ("waits for an event", "espera um evento"),
    "wait mutex": ("waits for a mutex", "espera um mutex"),
    "wait semaphore": ("waits for a semaphore", "espera um semáforo"),
    "wait channel": ("waits for a channel", "espera um canal"),
    "wait join": ("waits for its children", "espera suas filhas"),
    "wait several": ("waits for several things", "espera várias coisas"),
    "wait turn": ("lets others run, as its share is used up",
                  "deixa as outras rodarem, pois sua parte acabou"),
    "end ok": ("ends", "termina"),
    "end error": ("ends with an error", "termina com um erro"),
    "end cancelled": ("ends, cancelled", "termina, cancelada"),
    "one byte": ("1 byte", "1 byte"),
    "bytes": ("{n} bytes", "{n} bytes"),

    # The sequence diagram.
    "sequence": ("{program}: what went over the network", "{program}: o que passou pela rede"),
    "seed": ("Seed {seed}, {time} of virtual time", "Semente {seed}, {time} de tempo virtual"),
    "no seed": ("{time} of virtual time", "{time} de tempo virtual"),
    "sequence told": ("{n} packets between {hosts}.", "{n} pacotes entre {hosts}."),
    "earlier": ("Above: {n} earlier packets, left out.",
                "Acima: {n} pacotes anteriores, omitidos."),
    "later": ("Below: {n} later packets, left out.",
              "Abaixo: {n} pacotes posteriores, omitidos."),
    "faults left out": ("{n} more faults, left out.", "Outras {n} falhas, omitidas."),
    "idle": ("{time} later", "{time} depois"),
    "failure": ("failure", "erro"),
    "lost": ("lost", "perdido"),
    "blocked": ("blocked", "bloqueado"),
    "doubled": ("a copy", "uma cópia"),
    "late": ("late", "atrasado"),
    "on its way": ("on its way", "a caminho"),
    "data": ("data", "dados"),
    "datagram": ("datagram", "datagrama"),
    "refused": ("refused", "recusado"),
    "window": ("window", "janela"),
    "ports": ("ports {ports}", "portas {ports}"),
    "unreachable": ("unreachable", "inalcançável"),
    "reset": ("RST", "RST"),
    "syn": ("SYN", "SYN"),
    "syn-ack": ("SYN-ACK", "SYN-ACK"),
    "fin": ("FIN", "FIN"),
    # Described pictures.
    "state runs": ("runs", "em execução"),
    "state waits": ("waits in a call", "espera em uma chamada"),
    "state kernel": ("the kernel holds it", "o kernel guarda"),
    "state ready": ("there, not yet collected", "chegou, ainda não recolhido"),
    "state bad": ("fails", "falha"),
    "fate lost": ("is lost", "se perde"),
    "fate cut": ("only a part arrives", "só uma parte chega"),
    "fate copy": ("a copy", "uma cópia"),
    "queue empty": ("empty", "vazia"),
    "queue full": ("full", "cheia"),
    "queue holds": ("{n} in it", "{n} na fila"),
    "head": ("head {n}", "head {n}"),
    "tail": ("tail {n}", "tail {n}"),
    "bytes of": ("{n} bytes", "{n} bytes"),
    "task running": ("running", "em execução"),
    "task waiting": ("waiting", "esperando"),
    "task cancelled": ("cancelled", "cancelada"),
    "task failed": ("failed", "falhou"),
    "task done": ("done", "terminou"),
    "task ready": ("ready", "pronta"),
    "scope cancelled": ("cancelled", "cancelado"),  # a group, too
    "scope ready": ("ready", "pronto"),
    "type group": ("group", "grupo"),
    "type scope": ("scope", "escopo"),
    "fault partition": ("partition", "partição"),
    "fault one_way_partition": ("one-way partition", "partição em um sentido"),
    "fault clog": ("link clogged", "enlace entupido"),
    "fault pause": ("paused", "pausado"),
    "fault crash": ("crash", "queda"),
    "fault restart": ("restart", "reinício"),
    "fault connection_reset": ("connection reset", "conexão reiniciada"),
    "fault datagram_lost": ("datagram lost", "datagrama perdido"),
}

SMALL = ("", "", "two three four five six seven eight nine".split(),
         "dois três quatro cinco seis sete oito nove".split())


class Words:
    """One of the languages."""

    def __init__(self, language):
        self.language = language
        self.column = LANGUAGES.index(language)

    def __call__(self, key, **values):
        return TABLE[key][self.column].format(**values)

    def has(self, key):
        return key in TABLE

    def counted(self, one, more, number):
        if number == 1:
            return self(one)
        spelled = SMALL[2 + self.column]
        return self(more, n=spelled[number - 2] if 2 <= number < 10 else number)

    def kind(self, kind):
        """Of a packet; an unknown one keeps its name."""
        return self(kind) if kind in TABLE else kind

    def bytes(self, number):
        return self("one byte") if number == 1 else self("bytes", n=number)

    def decimal(self, text):
        """A number: 1,082.5 or 1.082,5."""
        whole, point, part = text.partition(".")
        if len(whole) > 3 and whole.isdecimal():
            text = f"{int(whole):,}{point}{part}"
        return text.translate(str.maketrans(",.", ".,")) if self.language == "pt" else text

    def duration(self, ns):
        return self.decimal(duration(ns))

    def listed(self, items, most=4):
        """A, B and C."""
        items = list(dict.fromkeys(items))
        if len(items) > most:
            return ", ".join(items[:most]) + ", …"
        return self("and").join([", ".join(items[:-1]), items[-1]] if items[1:] else items)

    def task(self, task):
        return f"{task.name} {task.number}" if task.name else self("task", n=task.number)


def duration(ns):
    """Three digits and a unit."""
    for size, unit in ((10**9, "s"), (10**6, "ms"), (10**3, "µs")):
        if ns >= size * 0.9995:
            value = ns / size
            text = f"{value:.{2 if value < 9.995 else 1 if value < 99.95 else 0}f}"
            return f"{text} {unit}"
    return f"{ns} ns"


def error_name(result):
    return errno.errorcode.get(-result, f"error {-result}")
