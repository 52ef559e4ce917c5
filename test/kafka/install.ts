import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

/**
 * Puts the jars of a real Kafka broker into a cache folder, once a machine: Maven resolves pom.xml, which stands beside this file, from
 * Maven Central. Needs Java 17 and Maven. `npm run kafka:install` does it ahead of the tests; they do it themselves where it was not done.
 */

const pom = join(import.meta.dirname, 'pom.xml')
export const kafkaVersion: string = /<kafka\.version>(.*)<\/kafka\.version>/.exec(readFileSync(pom, 'utf8'))![1]!

/** Why there can be no broker on this machine; undefined where there can. */
export function whyNoBroker(): string | undefined {
  const java = spawnSync('java', ['-version'], { encoding: 'utf8' })
  if (java.status !== 0) return 'there is no java on this machine (Kafka needs Java 17)'
  const major = Number(/version "(\d+)/.exec(java.stderr + java.stdout)?.[1])
  if (!(major >= 17)) return `the java of this machine is version ${major}, and Kafka needs 17`
  if (jarsAreThere()) return undefined
  if (spawnSync('mvn', ['-v']).status !== 0) return 'there is no mvn on this machine to fetch a Kafka broker with'
  return undefined
}

/** The class path of the broker and its tools; fetches the jars where they are missing. Throws where that fails. */
export function installBroker(): string {
  if (!jarsAreThere()) resolveJars()
  return `${jarFolder()}/*`
}

function cacheFolder(): string {
  return process.env['MILLRACE_KAFKA_CACHE'] ?? join(homedir(), '.cache', 'millrace-kafka')
}
function jarFolder(): string {
  return join(cacheFolder(), kafkaVersion)
}
function jarsAreThere(): boolean {
  return existsSync(jarFolder()) && readdirSync(jarFolder()).some((name) => name.startsWith('kafka_2.13-'))
}

/** Into a folder of its own that is renamed when it is whole, so that two processes may do it at once. */
function resolveJars(): void {
  const target = jarFolder()
  const building = `${target}.${process.pid}`
  rmSync(building, { recursive: true, force: true })
  mkdirSync(building, { recursive: true })
  const goal = 'org.apache.maven.plugins:maven-dependency-plugin:3.6.0:copy-dependencies'
  const ran = spawnSync('mvn', ['-B', '-q', '-f', pom, goal, '-DincludeScope=runtime', `-DoutputDirectory=${building}`], {
    encoding: 'utf8',
  })
  if (ran.status !== 0) {
    rmSync(building, { recursive: true, force: true })
    throw new Error(`Maven could not fetch Kafka ${kafkaVersion}:\n${ran.stdout}${ran.stderr}`)
  }
  try {
    renameSync(building, target)
  } catch (error) {
    rmSync(building, { recursive: true, force: true })
    if (!jarsAreThere()) throw error
  }
}

const registryVersion = '2.6.13.Final'

/** The folder of a schema registry (Apicurio, which speaks Confluent's protocol; the newest version that runs on Java 17). Fetched where it is missing. */
export function installRegistry(): string {
  const target = join(cacheFolder(), `apicurio-${registryVersion}`)
  if (existsSync(target)) return target
  const building = `${target}.${process.pid}`
  mkdirSync(building, { recursive: true })
  const artifact = `io.apicurio:apicurio-registry-app:${registryVersion}:tar.gz:all`
  const goal = 'org.apache.maven.plugins:maven-dependency-plugin:3.6.0:copy'
  runHere(building, 'mvn', ['-B', '-q', goal, `-Dartifact=${artifact}`, `-DoutputDirectory=${building}`])
  runHere(building, 'tar', ['xzf', join(building, `apicurio-registry-app-${registryVersion}-all.tar.gz`), '-C', building])
  try {
    renameSync(building, target)
  } catch (error) {
    rmSync(building, { recursive: true, force: true })
    if (!existsSync(target)) throw error
  }
  return target
}
function runHere(folder: string, command: string, args: readonly string[]): void {
  const ran = spawnSync(command, args, { encoding: 'utf8' })
  if (ran.status === 0) return
  rmSync(folder, { recursive: true, force: true })
  throw new Error(`${command} ${args.join(' ')} failed:\n${ran.stdout}${ran.stderr}`)
}

if (import.meta.main) {
  const reason = whyNoBroker()
  if (reason !== undefined) {
    console.error(`Kafka: ${reason}`)
    process.exit(1)
  }
  console.log(`Kafka ${kafkaVersion}: ${installBroker()}`)
  console.log(`schema registry ${registryVersion}: ${installRegistry()}`)
}
